"""Whether a form can send an answer to each field of a new page. Pages that were created are not checked again."""

from fractions import Fraction
from math import ceil
from typing import Any, assert_never

from waitpoints import json_text
from waitpoints.api import payload_schema
from waitpoints.api.page import submitted
from waitpoints.api.page.fields import MAX_CHOICES, MAX_WHOLE, OF_NUMBERS, Field, Kind, from_texts, is_empty, problem
from waitpoints.errors import InvalidPage, InvalidPayloadSchema


def check(schema: Any, fields: tuple[Field, ...], place: str) -> None:
    """Raises InvalidPage unless `payload_schema` can check the schema too, and a form can send an answer to each field.

    A default must be one that a form sends unchanged. Browsers send a line break as two characters, also of a name.
    """
    for field in fields:
        at = submitted.of_name(f"{place}.properties", field.name)
        if "pattern" in field.schema:
            _check_pattern(field.schema["pattern"], f"{at}.pattern")
        if payload_schema.has_number_beyond_double(field.schema):
            raise InvalidPage(at, payload_schema.BEYOND_DOUBLE)
    try:
        payload_schema.check(json_text.dumps(schema))
    except InvalidPayloadSchema as error:
        raise InvalidPage(place, error.message.removeprefix("Invalid payloadSchema").lstrip(": ")) from None
    for field in fields:
        _check_field(field, submitted.of_name(f"{place}.properties", field.name))


def _check_field(field: Field, place: str) -> None:
    _check_line_breaks(f"{place} (its name)", field.name)
    for choice in field.choices:
        _check_line_breaks(f"{place} (a choice)", choice.text)
    if not _choices_fit(field):
        raise InvalidPage(place, "a choice does not fit its own schema")
    if not _has_answers(field):
        raise InvalidPage(place, "nothing that a person can enter is within its limits")
    if "default" in field.schema:
        _check_default(field, f"{place}.default")


def _check_pattern(pattern: Any, place: str) -> None:
    try:
        payload_schema.check(json_text.dumps({"pattern": pattern}))
    except InvalidPayloadSchema:
        raise InvalidPage(
            place,
            "expected a regular expression without look-around and back-references, of limited size; "
            r"a Unicode class such as \p{L} is too large",
        ) from None


def _choices_fit(field: Field) -> bool:
    if not field.choices:
        return True
    each = field.schema["items"] if field.kind is Kind.SEVERAL_OF else field.schema
    values = json_text.dumps([choice.value for choice in field.choices])
    return payload_schema.find_violation(json_text.dumps({"items": each}), values) is None


def _check_line_breaks(place: str, text: str) -> None:
    if "\n" in text or "\r" in text:
        raise InvalidPage(place, "line breaks are not accepted")


def _check_default(field: Field, place: str) -> None:
    default = field.schema["default"]
    if problem(field, default):
        raise InvalidPage(place, "it does not fit the field")
    if is_empty(field, default):
        return
    if field.kind is not Kind.LONG_TEXT and isinstance(default, str):
        _check_line_breaks(place, default)
    sent = from_texts(field, field.default_texts())
    if sent != (default.replace("\r\n", "\n").replace("\r", "\n") if isinstance(default, str) else default):
        raise InvalidPage(place, "a form cannot send it as it is")


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
