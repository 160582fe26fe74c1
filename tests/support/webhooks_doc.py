"""The JSON and the commands of docs/webhooks.md, by the heading or the comment above each."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.documents import blocks
from tools.stack import ROOT

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
_PART = re.compile(
    r"^#{2,3} (?P<heading>[^\n]+)$|^<!-- json: (?P<kind>\w+) -->\n```json\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Example:
    heading: str
    kind: str
    json: Any


def _examples() -> Iterator[Example]:
    heading = ""
    for part in _PART.finditer(PAGE):
        heading = part["heading"] or heading
        if part["kind"]:
            yield Example(heading, part["kind"], json.loads(part["text"]))


EXAMPLES = list(_examples())
CREATES = {example.heading: example.json for example in EXAMPLES if example.kind == "create"}
ENDPOINTS = {example.heading: example.json for example in EXAMPLES if example.kind == "endpoint"}
STATES: dict[str, dict[str, Any]] = {name: json.loads(f"{{{text}}}") for name, text in blocks(PAGE, "state").items()}
COMMANDS = blocks(PAGE, "shell")
