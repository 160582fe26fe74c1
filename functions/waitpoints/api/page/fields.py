"""The fields of a page: which JSON Schemas can be drawn as a form, and what a form's texts and a program's values become.

kind          schema                                                      a form's text becomes
text          {"type": "string"}                                          a string
long text     {"type": "string", "format": "textarea"}                    a string; its line breaks are line feeds
date          {"type": "string", "format": "date"}                        a string, YYYY-MM-DD
e-mail        {"type": "string", "format": "email"}                       a string
number        {"type": "number"}; "format": {"currency": "USD"}          a number: "3.0" is 3, "1e3" is 1000
integer       {"type": "integer"}                                         a whole number: "3.0" is 3, "1e3" is 1000
yes or no     {"type": "boolean"}; "const": true must be ticked           true or false
one of        {"enum": [...]}, or {"oneOf": [{"const", "title"}, ...]}    the string or number of the choice
several of    {"type": "array", "items": a one of}                        a list of them, each once

A typed number is accepted only if JSON carries it: integers up to 2**53, and fractions that a double gives back unchanged.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Any, assert_never

from waitpoints import json_text
from waitpoints.api.page.markup import printable
from waitpoints.approvers import exact_number

MAX_TEXT = 10_000  # characters that a person may type into a text, and the largest maxLength
MAX_EMAIL = 254  # characters (RFC 5321)
MAX_CHOICES = 200
MAX_WHOLE = 2**53  # the largest number that a person may type: every reader of JSON knows the whole numbers up to it
MAX_DIGITS = 100  # characters of a number


class Kind(StrEnum):
    TEXT = "text"
    LONG_TEXT = "long text"
    DATE = "date"
    EMAIL = "e-mail"
    NUMBER = "number"
    INTEGER = "integer"
    YES_NO = "yes or no"
    ONE_OF = "one of"
    SEVERAL_OF = "several of"


NUMBERS = (Kind.NUMBER, Kind.INTEGER)
FORMATS = {"textarea": Kind.LONG_TEXT, "date": Kind.DATE, "email": Kind.EMAIL}
TYPES = {"number": Kind.NUMBER, "integer": Kind.INTEGER, "boolean": Kind.YES_NO, "array": Kind.SEVERAL_OF}
LONGEST = {Kind.TEXT: MAX_TEXT, Kind.LONG_TEXT: MAX_TEXT, Kind.EMAIL: MAX_EMAIL}  # of each kind without maxLength

OF_ALL = ("type", "title", "description", "default")
_OF_TEXTS = ("minLength", "maxLength", "pattern")
OF_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
KEYWORDS = {
    Kind.TEXT: _OF_TEXTS,
    Kind.LONG_TEXT: ("format", *_OF_TEXTS),
    Kind.DATE: ("format",),
    Kind.EMAIL: ("format", *_OF_TEXTS),
    Kind.NUMBER: ("format", *OF_NUMBERS),
    Kind.INTEGER: ("format", *OF_NUMBERS),
    Kind.YES_NO: ("const",),
    Kind.ONE_OF: ("enum", "oneOf"),
    Kind.SEVERAL_OF: ("items", "minItems", "maxItems", "uniqueItems"),
}
OF_ITEMS = ("type", "enum", "oneOf")
COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
OF_FORM = ("type", "properties", "required", "additionalProperties", "title", "description", "$schema")


@dataclass(frozen=True, slots=True)
class Choice:
    value: str | int | float
    title: str

    @property
    def text(self) -> str:
        """What a form sends for it."""
        return self.value if isinstance(self.value, str) else json_text.dumps(self.value)


@dataclass(frozen=True, slots=True)
class Field:
    """`schema` is the field's own JSON Schema, with the length that is accepted without maxLength.

    `number_format` is how its numbers are written, see `amounts`; JSON Schema's `format` is a text, so `schema` lacks it.
    """

    name: str
    kind: Kind
    schema: Mapping[str, Any]
    title: str
    description: str
    required: bool
    choices: tuple[Choice, ...] = ()
    number_format: Any = None

    @property
    def is_number(self) -> bool:
        """Whether a person types it as a number. A choice among numbers is not typed."""
        return self.kind in NUMBERS

    @property
    def must_be_ticked(self) -> bool:
        return self.kind is Kind.YES_NO and self.schema.get("const") is True

    def default_texts(self, decimal: str = ".") -> tuple[str, ...]:
        """What the form shows before a person types: the texts that it would send."""
        default = self.schema.get("default")
        if default is None or default is False:
            return ()
        if isinstance(default, list):
            return tuple(Choice(one, "").text for one in default)
        if self.is_number:
            return (written_number(default, decimal),)
        return (YES if default is True else Choice(default, "").text,)


YES = "yes"  # the value of a ticked box
_YES_OR_NO = {YES: True, "true": True, "no": False, "false": False}  # a browser sends nothing for a box that is not ticked


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a value is not accepted: the name of a sentence in `words`, and the limit in it. Has nothing of the value.

    `others` is what others have entered, as the reader's page writes it. `expected` is for a program that sent another type.
    `format` is how the field's numbers are written.
    """

    word: str
    limit: int | float | None = None
    others: str | None = None
    expected: str | None = None
    format: Any = None

    @property
    def is_missing(self) -> bool:
        """Whether the person left the field as it was. A box that must be ticked has no other answer."""
        return self.word in ("missing", "missing_choice", "not_ticked")


def of_schema(form: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the fields of an object schema that was checked once. A field of an unknown kind is left out."""
    required = form.get("required", ())
    kinds = {name: kind_of(schema) for name, schema in form["properties"].items()}
    return tuple(_field(name, kind, form["properties"][name], name in required) for name, kind in kinds.items() if kind)


def _field(name: str, kind: Kind, schema: Mapping[str, Any], required: bool) -> Field:
    choices = choices_of(schema["items"] if kind is Kind.SEVERAL_OF else schema)
    limited = {"maxLength": LONGEST[kind], **schema} if kind in LONGEST else schema
    number_format = schema.get("format") if kind in NUMBERS else None
    if number_format is not None:
        limited = {name: value for name, value in schema.items() if name != "format"}
    title, description = schema.get("title", name), schema.get("description", "")
    return Field(name, kind, limited, title, description, required, choices, number_format)


def choices_of(schema: Mapping[str, Any]) -> tuple[Choice, ...]:
    if "enum" in schema:
        return tuple(Choice(value, Choice(value, "").text) for value in schema["enum"])
    return tuple(Choice(one["const"], one.get("title", Choice(one["const"], "").text)) for one in schema.get("oneOf", ()))


def kind_of(schema: Mapping[str, Any]) -> Kind | None:
    """Return the kind of a field. None if this version has no such kind."""
    if "enum" in schema or "oneOf" in schema:
        return Kind.ONE_OF
    type_, format_ = schema.get("type"), schema.get("format")
    if type_ == "string" and format_ is None:
        return Kind.TEXT
    kinds, name = (FORMATS, format_) if type_ == "string" else (TYPES, type_)
    return kinds.get(name) if isinstance(name, str) else None


def from_texts(field: Field, texts: Sequence[str], decimal: str | None = None) -> Any:
    """Return the JSON value of what a form sent for a field, None if the field is left out, or a Problem.

    `decimal`: the decimal separator of the person's language. None: a program sent it, as JSON writes numbers.
    """
    value = _read(field, texts, decimal)
    if value is None:
        return _missing(field)
    return value if isinstance(value, Problem) else problem(field, value) or value


def from_json(field: Field, values: Mapping[str, Any]) -> Any:
    """Return a program's value for a field as `from_texts` does: a blank text or an empty list is left out on a form, too."""
    if field.name not in values and field.kind is Kind.YES_NO:
        return problem(field, False) or False
    if field.name not in values or is_empty(field, values[field.name]):
        return _missing(field)
    return problem(field, values[field.name]) or values[field.name]


def problem(field: Field, value: Any) -> Problem | None:
    """Return why a JSON value does not fit its field, or None."""
    from waitpoints.api import payload_schema

    if isinstance(value, float) and not isfinite(value):
        return Problem("invalid")
    if isinstance(value, str) and printable(value) != value:
        return Problem("control")
    if excess := _excess(field, value):
        return excess
    found = payload_schema.find_violation(field.schema, json_text.dumps(value))
    if found and found.keyword == "type":
        return _other_type(field, value)
    if found:
        limit = field.schema.get(found.keyword)
        is_limit = isinstance(limit, (int, float)) and not isinstance(limit, bool)
        return Problem(PROBLEMS.get(found.keyword, "invalid"), limit if is_limit else None, format=field.number_format)
    if field.kind is Kind.SEVERAL_OF and len(set(value)) < len(value):
        return Problem("twice")
    if field.kind is Kind.DATE and not _is_date(value):
        return Problem("date")
    if field.kind is Kind.EMAIL and not _EMAIL.fullmatch(value):
        return Problem("email")
    return None


def _other_type(field: Field, value: Any) -> Problem:
    if field.kind is Kind.ONE_OF or (field.kind is Kind.SEVERAL_OF and isinstance(value, list)):
        return Problem("not_a_choice")
    return Problem("invalid", expected=_EXPECTED[field.schema["type"]])


def _excess(field: Field, value: Any) -> Problem | None:
    """Return the problem of a value that is longer than any answer, which would take the time of many to check."""
    if isinstance(value, str) and len(value) > field.schema.get("maxLength", len(value)):
        return Problem("too_long", field.schema["maxLength"])
    if field.kind is Kind.SEVERAL_OF and isinstance(value, list) and len(value) > len(field.choices):
        return Problem("too_many", min(field.schema.get("maxItems", MAX_CHOICES), len(field.choices)))
    return None


PROBLEMS = {
    "minLength": "too_short",
    "maxLength": "too_long",
    "pattern": "pattern",
    "minimum": "too_small",
    "maximum": "too_large",
    "exclusiveMinimum": "not_above",
    "exclusiveMaximum": "not_below",
    "multipleOf": "multiple",
    "minItems": "too_few",
    "maxItems": "too_many",
    "enum": "not_a_choice",
    "oneOf": "not_a_choice",
    "const": "not_ticked",
}

_EXPECTED = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
}  # of each type

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+([eE].*)?")
_TWO_MEANINGS = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
"""1.240 may be a fraction or thousands. The page's language does not tell which of them a person means."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMAIL = re.compile(  # the one of HTML's <input type=email>, so that a browser and this module agree
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@"
    r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)


def _read(field: Field, texts: Sequence[str], decimal: str | None) -> Any:
    """Return the value that a person meant, None for an empty field, or a Problem if its text cannot be read as its kind."""
    if field.kind is Kind.YES_NO:
        return read_box(texts)
    if field.kind is Kind.SEVERAL_OF:
        by_text = {choice.text: choice.value for choice in reversed(field.choices)}
        chosen = [by_text.get(text, Problem("not_a_choice")) for text in dict.fromkeys(texts) if text]
        return next((one for one in chosen if isinstance(one, Problem)), chosen or None)
    if len(texts) > 1:
        return Problem("invalid")
    text = texts[0] if texts else ""
    if not text.strip():
        return None
    match field.kind:
        case Kind.ONE_OF:
            return next((choice.value for choice in field.choices if choice.text == text), Problem("not_a_choice"))
        case Kind.NUMBER | Kind.INTEGER:
            return _number(field, unicodedata.normalize("NFKC", text).strip(), decimal)
        case Kind.DATE | Kind.EMAIL:
            return text.strip()
        case Kind.TEXT | Kind.LONG_TEXT:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    assert_never(field.kind)


def read_box(texts: Sequence[str]) -> bool | Problem:
    """Return whether a yes or no was ticked."""
    if not texts:
        return False
    return _YES_OR_NO.get(texts[0], Problem("invalid")) if len(texts) == 1 else Problem("invalid")


def _number(field: Field, text: str, decimal: str | None) -> int | float | Problem:
    if decimal and _TWO_MEANINGS.fullmatch(text) and (text,) != field.default_texts(decimal):
        return Problem("two_meanings")
    plain = text.replace(",", ".") if decimal == "," and _COMMA.fullmatch(text) else text
    if not _NUMBER.fullmatch(plain) or len(plain) > MAX_DIGITS:
        return Problem(field.kind.value)
    typed = Decimal(plain)
    if abs(typed) > MAX_WHOLE:
        return Problem("too_large", MAX_WHOLE) if typed > 0 else Problem("too_small", -MAX_WHOLE)
    if typed == typed.to_integral_value():
        return int(typed)
    if field.kind is Kind.INTEGER:
        return Problem(field.kind.value)
    return float(typed) if Decimal(repr(float(typed))) == typed else Problem("too_exact")


def entered(fields: Sequence[Field], answer: str) -> dict[str, Any]:
    """Return what the JSON text of an answer has for these fields. A typed number keeps all its digits."""
    values, exact = json_text.parse(answer), json_text.parse(answer, parse_float=exact_number)
    return {field.name: (exact if field.is_number else values)[field.name] for field in fields if field.name in values}


def written_number(number: float | Decimal | str | None, decimal: str) -> str:
    """Return a number as people write it, without separators of thousands."""
    if isinstance(number, Decimal) and abs(number.adjusted()) < MAX_DIGITS:
        number = f"{number:f}"
    text = str(int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 1e16 else number)
    return text.replace(".", decimal)


def _missing(field: Field) -> Problem | None:
    return Problem("missing_choice" if field.choices else "missing") if field.required else None


def is_empty(field: Field, value: Any) -> bool:
    """Whether a program's value is what a form sends for a field that was not filled in."""
    if field.kind is Kind.SEVERAL_OF:
        return bool(value == [])
    return isinstance(value, str) and not value.strip() and field.kind not in (Kind.YES_NO, *NUMBERS)


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False
