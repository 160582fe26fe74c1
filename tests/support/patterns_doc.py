"""The examples of docs/patterns.md, by the kind and the name that the comment above each gives."""

import json
from typing import Any

from tests.support.documents import blocks
from tools.picture import DOCUMENT

PAGE = DOCUMENT.read_text()
INPUTS: dict[str, Any] = {name: json.loads(text) for name, text in blocks(PAGE, "input").items()}
ENDPOINTS: dict[str, Any] = {name: json.loads(text) for name, text in blocks(PAGE, "endpoint").items()}
STATES: dict[str, dict[str, Any]] = {name: json.loads(f"{{{text}}}") for name, text in blocks(PAGE, "state").items()}
TEMPLATES = blocks(PAGE, "template")
COMMANDS = blocks(PAGE, "shell")
