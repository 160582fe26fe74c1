"""What the published schema of Adaptive Cards 1.4 says of the elements that our cards have.

Source: github.com/microsoft/AdaptiveCards, schemas/1.4.0/adaptive-card.json: each of these has no members but the listed ones,
most of which our cards do not use.
"""

from typing import Any

import jsonschema_rs


def _object(kind: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **properties},
        "required": ["type", *required],
        "additionalProperties": False,
    }


_TEXT: dict[str, Any] = {
    "text": {"type": "string"},
    "isSubtle": {"type": "boolean"},
    "size": {"enum": ["Default", "Small", "Medium", "Large", "ExtraLarge"]},
    "weight": {"enum": ["Default", "Lighter", "Bolder"]},
}
_OPEN = _object("Action.OpenUrl", ["url"], url={"type": "string", "format": "uri-reference"}, title={"type": "string"})
_RUN = _object("TextRun", ["text"], **_TEXT, selectAction=_OPEN)
_ELEMENTS = [
    _object("TextBlock", ["text"], **_TEXT, wrap={"type": "boolean"}),
    _object("RichTextBlock", ["inlines"], inlines={"type": "array", "items": _RUN}),
]
SCHEMA = _object(
    "AdaptiveCard",
    ["version"],
    version={"const": "1.4"},
    body={"type": "array", "items": {"anyOf": _ELEMENTS}},
    actions={"type": "array", "items": _OPEN},
    **{"$schema": {"type": "string", "format": "uri"}},
)
_validator = jsonschema_rs.validator_for(SCHEMA, validate_formats=True)


def check(card: Any) -> None:
    """Raises ValidationError unless it is a card of the elements that we use."""
    _validator.validate(card)
