"""The examples of docs/patterns.md, by the kind and the name that the comment above each gives."""

import json
import re
from typing import Any

from tools.picture import DOCUMENT

PAGE = DOCUMENT.read_text()
_EXAMPLE = re.compile(r"^<!-- (?P<kind>\w+): (?P<name>[^>]+) -->\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def _examples(kind: str) -> dict[str, str]:
    return {found["name"]: found["text"] for found in _EXAMPLE.finditer(PAGE) if found["kind"] == kind}


INPUTS: dict[str, Any] = {name: json.loads(text) for name, text in _examples("input").items()}
ENDPOINTS: dict[str, Any] = {name: json.loads(text) for name, text in _examples("endpoint").items()}
STATES: dict[str, dict[str, Any]] = {name: json.loads(f"{{{text}}}") for name, text in _examples("state").items()}
TEMPLATES = _examples("template")
COMMANDS = _examples("shell")
