"""The documents of this project, and the blocks of code in them."""

import re
from pathlib import Path

from tools.stack import ROOT

FOLDERS = ("docs", "events", "examples", "clients", "tools")


def markdown() -> list[Path]:
    """Return every Markdown file, as git would list them."""
    files = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))]
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(ROOT).parts))


def blocks(text: str, kind: str) -> dict[str, str]:
    """Return the blocks of code of a kind, by the name that the comment above each gives: `<!-- kind: name -->`."""
    return dict(re.findall(rf"<!-- {kind}: ([^>]+) -->\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
