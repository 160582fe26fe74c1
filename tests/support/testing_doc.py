"""The snippets of docs/testing.md, by the names above them, and its table of events."""

import re
from typing import Any

import yaml

from tests.support.documents import blocks
from tools.stack import ROOT

PAGE = (ROOT / "docs" / "testing.md").read_text()
SNIPPETS = blocks(PAGE, "snippet")
WORKFLOW: dict[Any, Any] = yaml.safe_load(SNIPPETS["github"])
ALWAYS = {"event", "at"}
PLACE = {"state", "items"}


def run_lines() -> str:
    """What the workflow runs, as a script."""
    [job] = WORKFLOW["jobs"].values()
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


def members() -> dict[str, set[str]]:
    """The members that each event of `try --json` may have besides those of all, by the table."""
    found: dict[str, set[str]] = {}
    for events, texts in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| [^|]+ \| (.*) \|$", table(), re.MULTILINE):
        names = re.findall(r"\w+", events)
        each = texts.split("; ") if ";" in texts else [texts] * len(names)
        found |= {name: top_level(text) for name, text in zip(names, each, strict=True)}
    return found


def token_members() -> set[str]:
    """The members of a token that can be completed, by the table."""
    [listed] = re.findall(r"^\| `token` \|.*`token`: `\{(.*)\}` \|$", table(), re.MULTILINE)
    return set(re.findall(r'"(\w+)"', listed))


def top_level(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", re.sub(r"`\{[^`]*`", "", text)))


def table(name: str = "events") -> str:
    return PAGE.split(f"<!-- table: {name} -->\n")[1].split("\n\n")[0].split("| --- |\n")[1]
