"""The documents of this project, and the blocks of code in them."""

import re
from pathlib import Path

from tools.stack import ROOT

_SHELL = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FOLDERS = ("docs", "events", "examples", "clients", "tools")


def markdown() -> list[Path]:
    """Return every Markdown file, as git would list them."""
    files = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))]
    ignored = re.compile(r"\.|node_modules$")
    return sorted(path for path in files if not any(map(ignored.match, path.relative_to(ROOT).parts)))


def blocks(text: str, kind: str) -> dict[str, str]:
    """Return the blocks of code of a kind, by the name that the comment above each gives: `<!-- kind: name -->`."""
    return dict(re.findall(rf"<!-- {kind}: ([^>]+) -->\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def shell_code(program: str) -> list[tuple[str, str]]:
    """Return each block of shell code, and each command of a program within a text, with the name of its page.

    A command that goes on in the next line is one line.
    """
    span = re.compile(rf"(?<!`)`({program} [^`]+)`(?!`)")
    texts = [(path.name, path.read_text()) for path in markdown()]
    found = [(name, code) for name, text in texts for code in [*_SHELL.findall(text), *span.findall(text)]]
    return [(name, re.sub(r"\\\n\s*", " ", code)) for name, code in found]
