"""Which arguments of a tool can be fields of a page, and what a person made of them.

A field has only what every stack accepts. What else the tool's schema asks is said in its description, and checked after an
edit. Booleans are a choice of two: a box that is not ticked could not be told from one that an answer left out.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from html import escape
from math import isfinite
from typing import Any

from waitpoints_client.agents.shown_text import one_line, visible, weight
from waitpoints_client.wire import write_json

MOST_FIELDS = 28  # of 30: a page has some of its own
LONGEST_NAME, LONGEST_TEXT, LONGEST_CHOICE, LONGEST_HINT, MOST_CHOICES = 100, 1_000, 100, 200, 50
MOST_HINTS = 4  # lines below a field's title
ROOM, ANSWER_ROOM = 5_000, 1_800  # the weight of all fields, and the bytes of their values in an answer
SHORT_LINE, AT_A_GLANCE = 40, 200  # characters of a line, and of what a person sees without scrolling in the field
WHOLE = 2**53

_BOOLEANS = {"true": True, "false": False}
_NOT_FLAT = ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "const", "properties")
_LENGTHS, _BOUNDS = ("minLength", "maxLength"), ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_SAID = {
    "pattern": "Pattern",
    "format": "Format",
    "minimum": "At least",
    "maximum": "At most",
    "exclusiveMinimum": "More than",
    "exclusiveMaximum": "Less than",
    "multipleOf": "Multiple of",
    "minItems": "Choices, at least",
    "maxItems": "Choices, at most",
    "default": "If empty",
}  # what a field does not check, or does not show


@dataclass(frozen=True)
class ToolField:
    """An argument as a field. `sent` is what the form sends for it as it is, None for nothing."""

    name: str
    schema: Mapping[str, Any]
    sent: Any
    is_required: bool

    @property
    def is_long(self) -> bool:
        """Whether a person has to scroll to see all of it in the field."""
        lines = self.sent.split("\n") if isinstance(self.sent, str) else []
        return sum(1 + len(line) // SHORT_LINE for line in lines) > AT_A_GLANCE // SHORT_LINE

    @property
    def weight(self) -> int:
        """How much of a page it needs. Its names, texts and choices are repeated in HTML."""
        names = [self.name, *(self.choices or ())]
        texts = [self.schema.get("title", ""), self.schema.get("description", "")] * 2
        html = 400 + sum(len(escape(str(text)).encode()) for text in [*texts, *names, *names, write_json(self.sent)])
        html += (140 + len(escape(self.name).encode())) * len(self.choices or ())
        return max(weight(write_json({self.name: self.schema})), html // 3)

    @property
    def choices(self) -> list[Any] | None:
        items: Mapping[str, Any] = self.schema.get("items", self.schema)
        return items.get("enum")

    def changed(self, fields: Mapping[str, Any]) -> bool:
        """Whether an answer has another value than the form as it was."""
        value = self._value(fields)
        if isinstance(value, list) and isinstance(self.sent, list):
            return sorted(map(write_json, value)) != sorted(map(write_json, self.sent))
        return bool(value != self.sent)

    def read(self, fields: Mapping[str, Any]) -> Any:
        """Return the argument that an answer has, None if it leaves it out. No choice is an empty list."""
        value = self._value(fields)
        if value is None and self.schema.get("type") == "array":
            return []
        return _BOOLEANS.get(value, value) if self.choices == [*_BOOLEANS] and isinstance(value, str) else value

    def _value(self, fields: Mapping[str, Any]) -> Any:
        value = fields.get(self.name)
        if isinstance(value, str):
            value = value.replace("\r\n", "\n").replace("\r", "\n")
        return None if value == [] or (isinstance(value, str) and not value.strip()) else value


def tool_fields(schema: Mapping[str, Any], arguments: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, ToolField]:
    """Return the fields of a tool's arguments, as many as a page has room for. The arguments fit the schema."""
    found: dict[str, ToolField] = {}
    room, answer = ROOM, ANSWER_ROOM
    properties = schema.get("properties")
    for name in properties if isinstance(properties, Mapping) else ():
        field = _field(name, titles[name], schema, arguments)
        needed = 0 if field is None else len(json.dumps({name: field.sent}))  # also of a client that escapes what is not ASCII
        if field is None or field.weight > room or needed > answer or len(found) == MOST_FIELDS:
            continue
        room, answer = room - field.weight, answer - needed
        found[name] = field
    return found


def titles_of(schema: Mapping[str, Any] | None, names: Iterable[str]) -> dict[str, str]:
    """Return what people know arguments by: their titles in the tool's schema, or their names, unless two are the same."""
    members = (schema or {}).get("properties")
    described = members if isinstance(members, Mapping) else {}
    titles = {name: _title(described.get(name)) or name for name in {**dict.fromkeys(names), **described}}
    return titles if len({*titles.values()}) == len(titles) else {name: name for name in titles}


def _title(member: Any) -> str | None:
    title = member.get("title") if isinstance(member, Mapping) else None
    return title if isinstance(title, str) and _is_line(title, LONGEST_NAME) else None


def _field(name: str, title: str, tool: Mapping[str, Any], arguments: Mapping[str, Any]) -> ToolField | None:
    """Return an argument as a field. None if a page could not show it, or a form not send it as it is."""
    member = tool["properties"][name]
    if not isinstance(member, Mapping) or not member.keys().isdisjoint(_NOT_FLAT) or not _is_line(name, LONGEST_NAME):
        return None
    value = arguments.get(name)
    if value is None and name in arguments:
        return None
    own, sent = _kind(member, value)
    if own is None:
        return None
    unsaid = {words: member[keyword] for keyword, words in _SAID.items() if keyword in member and keyword not in own}
    said = [f"{words}: {_shown(one)}" for words, one in unsaid.items() if _shown(one)]
    if isinstance(member.get("description"), str) and member["description"].strip():
        said = [" ".join(member["description"].split()), *said]
    field = {**own, "title": title}
    if said:
        field["description"] = "\n".join(one_line(line, LONGEST_HINT) for line in said[:MOST_HINTS])
    if sent is not None:
        field["default"] = sent
    return ToolField(name, field, sent, sent is not None and name in tool.get("required", ()))


def _shown(value: Any) -> str:
    """Return a keyword's value for a hint. Empty for what no line can say."""
    if isinstance(value, str):
        return value.strip()
    return write_json(value) if isinstance(value, bool) or _is_number(value) else ""


def _kind(member: Mapping[str, Any], value: Any) -> tuple[dict[str, Any] | None, Any]:
    """Return the schema of the field without its texts, and what it sends as it is. None: it can be no field."""
    if "enum" in member:
        return _choice(member["enum"], value)
    match member.get("type"):
        case "string":
            return _text(member, value)
        case "number" | "integer" as kind:
            return _number(kind, member, value)
        case "boolean" if isinstance(value, bool | None):
            return {"enum": [*_BOOLEANS]}, None if value is None else write_json(value)
        case "array":
            return _choices(member, value)
    return None, None


def _text(member: Mapping[str, Any], value: Any) -> tuple[dict[str, Any] | None, Any]:
    if value is not None and not (isinstance(value, str) and len(value) <= LONGEST_TEXT and _is_seen(value)):
        return None, None
    if value and not value.strip():
        return None, None
    if member.get("format") == "date" and (not value or _is_date(value)):
        return {"type": "string", "format": "date"}, value or None
    is_line = not value or (len(value) <= SHORT_LINE and "\n" not in value)
    lengths = {name: member[name] for name in _LENGTHS if _is_whole(member.get(name)) and 0 < member[name] <= 10_000}
    if lengths.get("minLength", 1) > lengths.get("maxLength", 10_000) or member.get("maxLength") == 0:
        return None, None
    kind = {"type": "string"} if is_line else {"type": "string", "format": "textarea"}
    return {**kind, **lengths}, value.replace("\r\n", "\n") if value else None


def _number(kind: str, member: Mapping[str, Any], value: Any) -> tuple[dict[str, Any] | None, Any]:
    if value is not None and not _is_number(value):
        return None, None
    limits = {name: member[name] for name in _BOUNDS if _is_number(member.get(name))}
    least = max((limit for name, limit in limits.items() if "inimum" in name), default=-WHOLE)
    most = min((limit for name, limit in limits.items() if "aximum" in name), default=WHOLE)
    if value is None and most - least < 2:  # perhaps nothing is between them
        limits = {}
    return {"type": kind, **limits}, value


def _choice(choices: Any, value: Any) -> tuple[dict[str, Any] | None, Any]:
    if not _are_choices(choices):
        return None, None
    return {"enum": [*choices]}, next((one for one in choices if one == value), None)


def _choices(member: Mapping[str, Any], value: Any) -> tuple[dict[str, Any] | None, Any]:
    """A list of choices, each at most once."""
    items = member.get("items")
    if not isinstance(items, Mapping) or not items.keys() <= {"type", "enum", "title"} or not _are_choices(items.get("enum")):
        return None, None
    chosen = [one for own in value or () for one in items["enum"] if one == own]
    if len(chosen) > len({*chosen}):
        return None, None
    return {"type": "array", "items": {"enum": [*items["enum"]]}}, chosen or None


def _are_choices(choices: Any) -> bool:
    """Whether they are different texts and numbers, also as a form sends them."""
    if not isinstance(choices, list) or not 1 <= len(choices) <= MOST_CHOICES:
        return False
    if not all(_is_line(one, LONGEST_CHOICE) if isinstance(one, str) else _is_number(one) for one in choices):
        return False
    return len({one if isinstance(one, str) else write_json(one) for one in choices}) == len({*choices}) == len(choices)


def _is_line(text: Any, most: int) -> bool:
    return isinstance(text, str) and bool(text.strip()) and len(text) <= most and "\n" not in text and _is_seen(text)


def _is_seen(text: str) -> bool:
    return visible(text) == text.replace("\r\n", "\n")


def _is_number(value: Any) -> bool:
    """Whether it is a number that a person may type."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) and abs(value) <= WHOLE


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
