"""Check the fields of a new page: that they can be drawn, and that a form can send an answer to each."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any, assert_never

from waitpoints import json_text
from waitpoints.api import payload_schema
from waitpoints.api.page import fields
from waitpoints.api.page.fields import MAX_CHOICES, MAX_TEXT, MAX_WHOLE, OF_NUMBERS, Field, Kind
from waitpoints.api.page.shapes import Chosen, Fitting, Items, Members, NamedFields, Shape, Text, of_name
from waitpoints.errors import InvalidPage, InvalidPayloadSchema

MAX_FIELDS = 30
MAX_TITLE = 200  # characters, of a field and of a choice
_PATH = "page.fields"
_LINE_BREAKS = "line breaks are not accepted"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_pattern(value: Any) -> bool:
    try:
        payload_schema.check_schema({"pattern": value})
    except InvalidPayloadSchema:
        return False
    return True


_TICKED = Fitting(lambda value: value is True, "only true is accepted, for a field that is required: a box that must be ticked")
_TITLE = Text(MAX_TITLE)
_NUMBER = Fitting(
    lambda value: _is_number(value) and len(str(value)) <= MAX_TITLE,
    f"a choice is a text or a number, of at most {MAX_TITLE} characters",
)
_VALUE = Chosen(lambda value: _TITLE if isinstance(value, str) else _NUMBER)
CHOICE = Members({"const": _VALUE, "title": _TITLE}, needed=("const",), kind="keyword")
_CHOICES: dict[str, Shape] = {"enum": Items(_VALUE, MAX_CHOICES, 1), "oneOf": Items(CHOICE, MAX_CHOICES, 1)}
_KEYWORDS: dict[str, Shape] = {
    **_CHOICES,
    "title": _TITLE,
    "description": Text(1000, 0),
    "maxLength": Fitting(lambda value: not _is_number(value) or value <= MAX_TEXT, f"at most {MAX_TEXT:,} is accepted"),
    "pattern": Fitting(
        _is_pattern,
        "expected a regular expression without look-around and back-references, of limited size; "
        r"a Unicode class such as \p{L} is too large",
    ),
    "const": _TICKED,
    "items": Members({name: _CHOICES.get(name) for name in fields.OF_ITEMS}, kind="keyword"),
}
_OF_KIND = {
    kind: Members(
        {name: _KEYWORDS.get(name) for name in (*fields.OF_ALL, *keywords)},
        needed=("items",),
        kind=f"keyword of a field ({kind.value})",
    )
    for kind, keywords in fields.KEYWORDS.items()
}


def _number_format(_: Any) -> Shape:
    """Only a field with a format loads what checks it."""
    from waitpoints.api.page.facts.amount_checks import number_format

    return number_format()


_OF_KIND |= {
    kind: replace(_OF_KIND[kind], known={**_OF_KIND[kind].known, "format": Chosen(_number_format)}) for kind in fields.NUMBERS
}
_NO_FORMAT = Fitting(lambda _: False, f"expected {', '.join(fields.FORMATS)}, or no format")


def _field(schema: Any) -> Shape | str:
    if not isinstance(schema, dict):
        return "expected an object"
    if payload_schema.has_number_beyond_double(schema):
        return payload_schema.BEYOND_DOUBLE
    if kind := fields.kind_of(schema):
        return _OF_KIND[kind]
    if schema.get("type") == "string":
        return Members({**dict.fromkeys(schema), "format": _NO_FORMAT})
    return f"a field has enum, oneOf, or one type of string, {', '.join(fields.TYPES)}"


_REQUIRED = Fitting(
    lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    "expected a list of names of properties",
)
FORM = Members(
    {
        **dict.fromkeys(fields.OF_FORM),
        "type": Fitting(lambda value: value == "object", 'expected "object"'),
        "additionalProperties": Fitting(lambda value: value is False, "only false is accepted: a form has no other fields"),
        "properties": NamedFields(Text(100), Chosen(_field), MAX_FIELDS),
        "required": _REQUIRED,
    },
    needed=("properties",),
    kind="keyword",
)


def check_fields(form: Mapping[str, Any], loaded: tuple[Field, ...]) -> None:
    """Raises InvalidPage unless `payload_schema` can check the form, and it can send an answer to each field.

    The form has its shape. A default must be one that a form sends unchanged. Browsers send a line break as two characters,
    also of a name.
    """
    if not form["properties"].keys() >= {*form.get("required", ())}:
        raise InvalidPage(f"{_PATH}.required", _REQUIRED.expected)
    properties = form["properties"] | {field.name: field.schema for field in loaded if field.number_format}
    try:
        payload_schema.check_schema({**form, "properties": properties})
    except InvalidPayloadSchema as error:
        raise InvalidPage(_PATH, error.message.removeprefix("Invalid payloadSchema").lstrip(": ")) from None
    for field in loaded:
        for at, reason in _problems(field):
            raise InvalidPage(of_name(f"{_PATH}.properties", field.name) + at, reason)


def _problems(field: Field) -> Iterator[tuple[str, str]]:
    """Yield where in a field's schema, and why, a form cannot send its answers."""
    schema, texts = field.schema, [choice.text for choice in field.choices]
    choices, at = (schema["items"], ".items") if field.kind is Kind.SEVERAL_OF else (schema, "")
    if field.must_be_ticked and not field.required:
        yield ".const", _TICKED.expected
    if field.kind in (Kind.ONE_OF, Kind.SEVERAL_OF) and ("enum" in choices) == ("oneOf" in choices):
        yield at, "expected either enum or oneOf"
    if len({*texts}) < len(texts):
        yield at, "the same choice twice"
    if _has_line_break(field.name):
        yield " (its name)", _LINE_BREAKS
    if any(map(_has_line_break, texts)):
        yield " (a choice)", _LINE_BREAKS
    if not _has_answers(field):
        yield "", "nothing that a person can enter is within its limits"
    values = [choice.value for choice in field.choices]
    if values and payload_schema.find_violation({"items": choices}, json_text.dumps(values)):
        yield "", "a choice does not fit its own schema"
    if "default" in schema and (reason := _wrong_default(field)):
        yield ".default", reason


def _has_line_break(text: str) -> bool:
    return "\n" in text or "\r" in text


def _wrong_default(field: Field) -> str | None:
    default = field.schema["default"]
    if fields.problem(field, default):
        return "it does not fit the field"
    if fields.is_empty(field, default):
        return None
    if field.kind is not Kind.LONG_TEXT and isinstance(default, str) and _has_line_break(default):
        return _LINE_BREAKS
    sent = fields.from_texts(field, field.default_texts())
    expected = default.replace("\r\n", "\n").replace("\r", "\n") if isinstance(default, str) else default
    return None if sent == expected else "a form cannot send it as it is"


def _has_answers(field: Field) -> bool:
    """Whether a value other than an empty one is within the field's limits. Patterns are not looked at."""
    schema = field.schema
    match field.kind:
        case Kind.NUMBER | Kind.INTEGER:
            return _has_numbers(field)
        case Kind.SEVERAL_OF:
            return bool(max(schema.get("minItems", 0), 1) <= min(schema.get("maxItems", MAX_CHOICES), len(field.choices)))
        case Kind.TEXT | Kind.LONG_TEXT | Kind.EMAIL:
            return bool(max(schema.get("minLength", 0), 1) <= schema["maxLength"])
        case Kind.DATE | Kind.YES_NO | Kind.ONE_OF:
            return True
    assert_never(field.kind)


def _has_numbers(field: Field) -> bool:
    """Whether a number that a person may type is within the field's limits: the least one that is a multiple, if it must be."""
    schema = {name: Fraction(str(field.schema[name])) for name in OF_NUMBERS if name in field.schema}
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    least = max(schema.get("minimum", -MAX_WHOLE), -MAX_WHOLE if above is None else above)
    most = min(schema.get("maximum", MAX_WHOLE), MAX_WHOLE if below is None else below)
    step = schema.get("multipleOf")
    if field.kind is Kind.INTEGER:
        step = Fraction(1 if step is None else step.numerator)  # the whole multiples of 5/2 are those of 5
    if step is None:
        return least < most or (least == most and least != above and most != below)
    first = Fraction(ceil(least / step)) * step
    first += step if first == above else 0
    return first < most or (first == most and first != below)
