"""Check the fields of a new page: that they can be drawn, and that a form can send an answer to each."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Any, assert_never

from waitpoints import json_text
from waitpoints.api import payload_schema
from waitpoints.api.page import fields, submitted
from waitpoints.api.page.fields import (
    MAX_CHOICES,
    MAX_TEXT,
    MAX_WHOLE,
    OF_NUMBERS,
    Field,
    Kind,
    from_texts,
    is_empty,
    problem,
)
from waitpoints.api.page.submitted import Fitting, Items, Members, Text
from waitpoints.errors import InvalidPage, InvalidPayloadSchema

MAX_FIELDS = 30
MAX_TITLE = 200  # characters, of a field and of a choice
_NAME, _TITLE, _DESCRIPTION = Text(100), Text(MAX_TITLE), Text(1000, 0)
_FORM = Members(
    {
        **dict.fromkeys(fields.OF_FORM),
        "type": Fitting(lambda value: value == "object", 'expected "object"'),
        "additionalProperties": Fitting(lambda value: value is False, "only false is accepted: a form has no other fields"),
        "properties": Fitting(
            lambda value: isinstance(value, dict) and 1 <= len(value) <= MAX_FIELDS,
            f"expected an object of 1 to {MAX_FIELDS} fields",
        ),
    },
    needed=("properties",),
    kind="keyword",
)
_CHOICE = Members(
    {
        "const": Fitting(
            lambda value: isinstance(value, (str, int, float)) and not isinstance(value, bool), "a choice is a text or a number"
        ),
        "title": _TITLE,
    },
    needed=("const",),
    kind="keyword",
)
_ITEMS = Members(dict.fromkeys(fields.OF_ITEMS), kind="keyword")


def check(form: Any, path: str) -> None:
    """Raises InvalidPage unless it is an object schema whose fields can be drawn and answered."""
    submitted.check(form, _FORM, path)
    properties, required = form["properties"], form.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) and name in properties for name in required):
        raise InvalidPage(f"{path}.required", "expected a list of names of properties")
    for name, schema in properties.items():
        at = submitted.of_name(f"{path}.properties", name)
        submitted.check(name, _NAME, f"{at} (its name)")
        _check_schema(schema, name in required, at)
    check_answerable(form, fields.load(form), path)


def _check_schema(schema: Any, required: bool, path: str) -> None:
    kind = _kind(schema, path)
    known = {**dict.fromkeys((*fields.OF_ALL, *fields.KEYWORDS[kind])), "title": _TITLE, "description": _DESCRIPTION}
    submitted.check(schema, Members(known, kind=f"keyword of a field ({kind.value})"), path)
    longest = schema.get("maxLength")
    if kind in fields.LONGEST and isinstance(longest, (int, float)) and longest > MAX_TEXT:
        raise InvalidPage(f"{path}.maxLength", f"at most {MAX_TEXT:,} is accepted")
    if "const" in schema and not (schema["const"] is True and required):
        raise InvalidPage(f"{path}.const", "only true is accepted, for a field that is required: a box that must be ticked")
    if kind is Kind.SEVERAL_OF:
        submitted.check(schema.get("items"), _ITEMS, f"{path}.items")
        _check_choices(schema["items"], f"{path}.items")
    elif kind is Kind.ONE_OF:
        _check_choices(schema, path)


def _kind(schema: Any, path: str) -> Kind:
    if not isinstance(schema, dict):
        raise InvalidPage(path, "expected an object")
    if kind := fields.kind_of(schema):
        return kind
    if schema.get("type") == "string":
        raise InvalidPage(f"{path}.format", f"expected {', '.join(fields.FORMATS)}, or no format")
    raise InvalidPage(path, f"a field has enum, oneOf, or one type of string, {', '.join(fields.TYPES)}")


def _check_choices(schema: Mapping[str, Any], path: str) -> None:
    if ("enum" in schema) == ("oneOf" in schema):
        raise InvalidPage(path, "expected either enum or oneOf")
    keyword = "enum" if "enum" in schema else "oneOf"
    each = _CHOICE.known["const"] if keyword == "enum" else _CHOICE
    assert each is not None, "a choice has a shape"
    submitted.check(schema[keyword], Items(each, MAX_CHOICES, 1), f"{path}.{keyword}")
    texts = [choice.text for choice in fields.load_choices(schema)]
    for index, text in enumerate(texts):
        submitted.check(text, _TITLE, f"{path}.{keyword}[{index}]")
    if len(set(texts)) < len(texts):
        raise InvalidPage(path, "the same choice twice")


def check_answerable(schema: Any, loaded: tuple[Field, ...], path: str) -> None:
    """Raises InvalidPage unless `payload_schema` can also check the schema, and a form can send an answer to each field.

    A default must be one that a form sends unchanged. Browsers send a line break as two characters, also of a name.
    """
    for field in loaded:
        at = submitted.of_name(f"{path}.properties", field.name)
        if "pattern" in field.schema:
            _check_pattern(field.schema["pattern"], f"{at}.pattern")
        if payload_schema.has_number_beyond_double(field.schema):
            raise InvalidPage(at, payload_schema.BEYOND_DOUBLE)
    try:
        payload_schema.check(json_text.dumps(schema))
    except InvalidPayloadSchema as error:
        raise InvalidPage(path, error.message.removeprefix("Invalid payloadSchema").lstrip(": ")) from None
    for field in loaded:
        _check_field(field, submitted.of_name(f"{path}.properties", field.name))


def _check_field(field: Field, path: str) -> None:
    _check_line_breaks(f"{path} (its name)", field.name)
    for choice in field.choices:
        _check_line_breaks(f"{path} (a choice)", choice.text)
    if not _choices_fit(field):
        raise InvalidPage(path, "a choice does not fit its own schema")
    if not _has_answers(field):
        raise InvalidPage(path, "nothing that a person can enter is within its limits")
    if "default" in field.schema:
        _check_default(field, f"{path}.default")


def _check_pattern(pattern: Any, path: str) -> None:
    try:
        payload_schema.check(json_text.dumps({"pattern": pattern}))
    except InvalidPayloadSchema:
        raise InvalidPage(
            path,
            "expected a regular expression without look-around and back-references, of limited size; "
            r"a Unicode class such as \p{L} is too large",
        ) from None


def _choices_fit(field: Field) -> bool:
    if not field.choices:
        return True
    each = field.schema["items"] if field.kind is Kind.SEVERAL_OF else field.schema
    values = json_text.dumps([choice.value for choice in field.choices])
    return payload_schema.find_violation(json_text.dumps({"items": each}), values) is None


def _check_line_breaks(path: str, text: str) -> None:
    if "\n" in text or "\r" in text:
        raise InvalidPage(path, "line breaks are not accepted")


def _check_default(field: Field, path: str) -> None:
    default = field.schema["default"]
    if problem(field, default):
        raise InvalidPage(path, "it does not fit the field")
    if is_empty(field, default):
        return
    if field.kind is not Kind.LONG_TEXT and isinstance(default, str):
        _check_line_breaks(path, default)
    sent = from_texts(field, field.default_texts())
    if sent != (default.replace("\r\n", "\n").replace("\r", "\n") if isinstance(default, str) else default):
        raise InvalidPage(path, "a form cannot send it as it is")


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
