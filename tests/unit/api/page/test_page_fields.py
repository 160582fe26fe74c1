"""The fields of a page: which schemas are drawn, and what a person's texts and a program's values become."""

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints.api.page import fields as page_fields
from waitpoints.api.page import page_checks
from waitpoints.api.page.fields import Field, Kind, Problem
from waitpoints.errors import InvalidPage


def field(required: bool = False, /, **schema: Any) -> Field:
    fields = {"type": "object", "properties": {"it": schema}, "required": ["it"] if required else []}
    [parsed] = page_checks.parse({"title": "T", "fields": fields})[0].fields
    return parsed


TEXT = field(type="string", minLength=2, maxLength=5, pattern="^[a-z ]+$")
LONG = field(type="string", format="textarea")
DATE = field(type="string", format="date")
EMAIL = field(type="string", format="email")
NUMBER = field(type="number", minimum=-1.5, exclusiveMaximum=1000)
FREE = field(type="number")
INTEGER = field(type="integer", maximum=100, multipleOf=5)
WHOLE = field(type="integer")
YES_NO = field(type="boolean")
MUST = field(True, type="boolean", const=True)
ONE = field(enum=["a", 2, 2.5])
TITLED = field(True, oneOf=[{"const": "x", "title": "Ex"}, {"const": 1}])
SEVERAL = field(type="array", items={"enum": ["a", "b", 3]}, minItems=2, maxItems=2)


@pytest.mark.parametrize(
    ("of", "texts", "value"),
    [
        (TEXT, ["abc"], "abc"),
        (TEXT, [" a "], " a "),
        (TEXT, [], None),
        (TEXT, [""], None),
        (TEXT, ["   "], None),
        (LONG, ["a\r\nb\rc\n"], "a\nb\nc\n"),
        (LONG, ["🎈" * 10_000], "🎈" * 10_000),
        (DATE, [" 2028-02-29 "], "2028-02-29"),
        (EMAIL, ["ann@example.com "], "ann@example.com"),
        (NUMBER, ["-1.5"], -1.5),
        (NUMBER, [" +.5 "], 0.5),
        (NUMBER, ["1e2"], 100),
        (NUMBER, ["3.0"], 3),
        (NUMBER, ["-0"], 0),
        (NUMBER, ["\uff11\uff12"], 12),
        (FREE, ["9007199254740992"], 2**53),
        (FREE, ["0e9999"], 0),
        (WHOLE, ["-0e-9999"], 0),
        (FREE, ["0.1"], 0.1),
        (INTEGER, ["15.00"], 15),
        (INTEGER, ["1e1"], 10),
        (YES_NO, ["yes"], True),
        (YES_NO, ["true"], True),
        (YES_NO, [], False),
        (YES_NO, ["no"], False),
        (YES_NO, ["false"], False),
        (MUST, ["yes"], True),
        (ONE, ["2"], 2),
        (ONE, ["2.5"], 2.5),
        (ONE, [""], None),
        (TITLED, ["1"], 1),
        (SEVERAL, ["3", "a", "3"], [3, "a"]),
        (SEVERAL, [], None),
    ],
)
def test_a_persons_texts_become_values(of: Field, texts: Sequence[str], value: Any) -> None:
    found = page_fields.from_texts(of, texts)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("of", "texts", "problem"),
    [
        (TEXT, ["a"], Problem("too_short", 2)),
        (TEXT, ["abcdef"], Problem("too_long", 5)),
        (TEXT, ["ABCDEF"], Problem("too_long", 5)),
        (TEXT, ["ABC"], Problem("pattern")),
        (TEXT, ["abc", "abd"], Problem("invalid")),
        (YES_NO, ["off"], Problem("invalid")),
        (YES_NO, [""], Problem("invalid")),
        (YES_NO, ["yes", "yes"], Problem("invalid")),
        (LONG, ["x" * 10_001], Problem("too_long", 10_000)),
        (DATE, ["2027-02-29"], Problem("date")),
        (DATE, ["31.01.2027"], Problem("date")),
        (DATE, ["\uff12\uff10\uff12\uff17-01-31"], Problem("date")),
        (LONG, ["a\x0bb"], Problem("control")),
        (TEXT, ["ab\x1b"], Problem("control")),
        (EMAIL, ["ann"], Problem("email")),
        (EMAIL, ["ann@example..com"], Problem("email")),
        (EMAIL, ["a@" + "x" * 253], Problem("too_long", 254)),
        (NUMBER, ["two"], Problem("number")),
        (NUMBER, ["1,5"], Problem("number")),
        (NUMBER, ["0x10"], Problem("number")),
        (NUMBER, ["NaN"], Problem("number")),
        (NUMBER, ["1" * 101], Problem("number")),
        (NUMBER, ["-1.6"], Problem("too_small", -1.5)),
        (NUMBER, ["1000"], Problem("not_below", 1000)),
        (FREE, ["9007199254740993"], Problem("too_large", 2**53)),
        (FREE, ["1e20"], Problem("too_large", 2**53)),
        (FREE, ["1e21"], Problem("too_large", 2**53)),
        (FREE, ["-1e9999"], Problem("too_small", -(2**53))),
        (WHOLE, ["1e21"], Problem("too_large", 2**53)),
        (FREE, ["0.1234567890123456789"], Problem("too_exact")),
        (FREE, ["1e-9999"], Problem("too_exact")),
        (WHOLE, ["1e-9999"], Problem("integer")),
        (INTEGER, ["3.5"], Problem("integer")),
        (INTEGER, ["7"], Problem("multiple", 5)),
        (INTEGER, ["105"], Problem("too_large", 100)),
        (MUST, [], Problem("not_ticked")),
        (ONE, ["b"], Problem("not_a_choice")),
        (TITLED, [], Problem("missing_choice")),
        (TITLED, ["Ex"], Problem("not_a_choice")),
        (SEVERAL, ["a"], Problem("too_few", 2)),
        (SEVERAL, ["a", "b", "3"], Problem("too_many", 2)),
        (SEVERAL, ["a", "c"], Problem("not_a_choice")),
        (field(True, type="string"), [" "], Problem("missing")),
    ],
)
def test_a_persons_texts_that_do_not_fit_say_why(of: Field, texts: Sequence[str], problem: Problem) -> None:
    assert page_fields.from_texts(of, texts) == problem


@pytest.mark.parametrize(
    ("of", "sent", "found"),
    [
        (TEXT, {"it": "abc"}, "abc"),
        (TEXT, {"it": ""}, None),
        (LONG, {"it": " \n"}, None),
        (field(True, type="string"), {"it": ""}, Problem("missing")),
        (field(True, type="string"), {"it": "  "}, Problem("missing")),
        (LONG, {"it": "a\x0bb"}, Problem("control")),
        (LONG, {"it": "a\ud800"}, Problem("control")),
        (TEXT, {"it": None}, Problem("invalid", expected="a string")),
        (TEXT, {}, None),
        (NUMBER, {"it": 1}, 1),
        (NUMBER, {"it": True}, Problem("invalid", expected="a number")),
        (NUMBER, {"it": float("inf")}, Problem("invalid")),
        (WHOLE, {"it": 10**30}, 10**30),
        (WHOLE, {"it": 10**309}, Problem("invalid")),
        (SEVERAL, {"it": ["a", "b", 3, "c"]}, Problem("too_many", 2)),
        (field(type="array", items={"enum": ["a", "b"]}), {"it": ["a", "b", "a"]}, Problem("too_many", 2)),
        (DATE, {"it": "2027-02-30"}, Problem("date")),
        (EMAIL, {"it": "ann"}, Problem("email")),
        (YES_NO, {}, False),
        (YES_NO, {"it": "yes"}, Problem("invalid", expected="true or false")),
        (MUST, {}, Problem("not_ticked")),
        (ONE, {"it": 2}, 2),
        (ONE, {"it": "2"}, Problem("not_a_choice")),
        (SEVERAL, {"it": ["a", 3]}, ["a", 3]),
        (SEVERAL, {"it": ["a", ["b"]]}, Problem("not_a_choice")),
        (TITLED, {}, Problem("missing_choice")),
        (SEVERAL, {"it": []}, None),
        (SEVERAL, {"it": ["a", "a"]}, Problem("twice")),
        (SEVERAL, {"it": [3, 3.0]}, Problem("twice")),
        (field(True, type="array", items={"enum": ["a"]}), {"it": []}, Problem("missing_choice")),
        (WHOLE, {"it": ""}, Problem("invalid", expected="a whole number")),
    ],
)
def test_a_programs_values_are_taken_as_they_are(of: Field, sent: dict[str, Any], found: Any) -> None:
    assert page_fields.from_json(of, sent) == found


NUMBERS = field(type="array", items={"enum": [at + 0.25 for at in range(200)]}, uniqueItems=True)
SLOW = field(type="string", pattern="^([ab]{1,40}){1,5}[^ab]$")


@pytest.mark.parametrize(
    ("of", "value", "problem"),
    [
        (NUMBERS, [199.25] * 400_000, Problem("too_many", 200)),
        (NUMBERS, [10**4299 + at for at in range(200)], Problem("invalid")),
        (SLOW, "ab" * 250_000, Problem("too_long", 10_000)),
    ],
)
def test_a_value_longer_than_any_answer_is_refused_in_time(of: Field, value: Any, problem: Problem) -> None:
    """100 whole numbers of 4,300 digits took 6 s."""
    started = time.process_time()
    assert page_fields.from_json(of, {"it": value}) == problem
    assert time.process_time() - started < 0.6  # 0.1 s alone


def test_the_texts_of_a_form_are_looked_up_in_time() -> None:
    """6,000 of them took 1.9 s."""
    started = time.process_time()
    assert page_fields.from_texts(NUMBERS, [str(at) for at in range(6000)]) == Problem("not_a_choice")
    assert time.process_time() - started < 0.5  # 0.01 s alone


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,5", 1.5),
        ("-12,25", -12.25),
        ("0,125", 0.125),
        ("3,1415", 3.1415),
        ("1234,567", 1234.567),
        ("1,5e3", 1500),
        ("2.5", 2.5),
        ("7", 7),
    ],
)
def test_a_decimal_comma_is_read_where_the_language_has_one(text: str, value: float) -> None:
    assert page_fields.from_texts(FREE, [text], ",") == value
    assert "," not in text or page_fields.from_texts(FREE, [text], ".") == Problem("number")


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("text", ["1,500", "1.500", "-12.345", "+999,999", "1\uff0e500"])
@pytest.mark.parametrize("of", [FREE, INTEGER], ids=["number", "integer"])
def test_a_number_that_may_be_a_fraction_or_thousands_is_refused(of: Field, text: str, decimal: str) -> None:
    assert page_fields.from_texts(of, [text], decimal) == Problem("two_meanings")


def test_a_program_writes_numbers_as_json_does() -> None:
    assert page_fields.from_texts(FREE, ["2.125"]) == 2.125
    assert page_fields.from_texts(FREE, ["2,5"]) == Problem("number")


@pytest.mark.parametrize("text", ["1.234,5", "1,2,3", ",5", "1,", "1,5e", "1,234.5", "1.234.567", "1'000", "1 000,5"])
def test_a_separator_of_thousands_is_refused(text: str) -> None:
    assert page_fields.from_texts(FREE, [text], ",") == Problem("number")


@given(st.floats(-(2**53), 2**53), st.sampled_from([".", ","]))
def test_a_default_is_accepted_as_the_page_writes_it(default: float, decimal: str) -> None:
    of = field(type="number", default=default)
    assert page_fields.from_texts(of, of.default_texts(decimal), decimal) == default


@given(st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)))
def test_every_number_that_is_accepted_arrives_exactly(number: float) -> None:
    found = page_fields.from_texts(FREE, [repr(number)])
    assert found == number or (isinstance(found, Problem) and abs(number) > 2**53)


@given(st.text(max_size=200))
def test_every_text_is_a_value_or_a_problem_of_its_kind(text: str) -> None:
    for of in (TEXT, LONG, DATE, EMAIL, NUMBER, INTEGER, YES_NO, ONE, SEVERAL):
        found = page_fields.from_texts(of, [text])
        if found is not None and not isinstance(found, Problem):
            assert page_fields.problem(of, found) is None


NOT_DRAWN: list[Any] = [
    {},
    {"type": "object"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"anyOf": [{"type": "string"}]},
    {"$ref": "#/x"},
    {"type": "string", "format": "uri"},
    {"type": "string", "format": {}},
    {"type": "string", "format": []},
    {"type": "array"},
    {"type": "array", "items": {"type": "string"}},
    True,
    "string",
    {"type": "string", "minimum": 1},
    {"type": "number", "pattern": "a"},
    {"type": "string", "enum": ["a"], "maxLength": 1},
    {"type": "boolean", "enum": [True], "const": True},
    {"type": "string", "examples": ["a"]},
    {"type": "string", "maxLength": 10_001},
    {"type": "string", "minLength": -1},
    {"type": "string", "pattern": "("},
    {"type": "string", "title": ""},
    {"type": "string", "title": "x" * 201},
    {"type": "string", "description": "\x1b"},
    {"type": "boolean", "const": True},
    {"type": "boolean", "const": False},
    {"enum": []},
    {"enum": ["a", "a"]},
    {"enum": ["1", 1]},
    {"enum": [None]},
    {"enum": [True]},
    {"enum": [10**200]},
    {"enum": ["a"], "oneOf": [{"const": "a"}]},
    {"enum": [str(n) for n in range(201)]},
    {"oneOf": [{"title": "A"}]},
    {"type": "array", "items": {"enum": ["a"]}, "minItems": "2"},
    {"type": "string", "default": 1},
    {"type": "string", "maxLength": 1, "default": "ab"},
    {"type": "integer", "default": 1.5},
    {"type": "string", "format": "date", "default": "tomorrow"},
    {"type": "string", "format": "email", "default": "ann"},
    {"enum": ["a"], "default": "b"},
    {"type": "array", "items": {"enum": ["a"]}, "default": ["b"]},
]


@pytest.mark.parametrize("schema", NOT_DRAWN, ids=lambda it: json.dumps(it)[:60])
def test_a_schema_that_cannot_be_drawn_is_refused_with_its_place(schema: Any) -> None:
    with pytest.raises(InvalidPage) as refusal:
        page_checks.parse({"title": "T", "fields": {"properties": {"ok": {"type": "string"}, "bad": schema}}})[1]
    assert "page.fields" in refusal.value.message


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        {},
        {"properties": {}},
        {"type": "array", "properties": {"a": {"type": "string"}}},
        {"properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"properties": {"a": {"type": "string"}}, "required": "a"},
        {"properties": {"a": {"type": "string"}}, "additionalProperties": True},
        {"properties": {"a": {"type": "string"}}, "if": {}},
        {"properties": {"": {"type": "string"}}},
        {"properties": {"x" * 101: {"type": "string"}}},
        {"properties": {f"f{n}": {"type": "string"} for n in range(31)}},
    ],
)
def test_an_object_that_is_no_form_is_refused(fields: Any) -> None:
    with pytest.raises(InvalidPage):
        page_checks.parse({"title": "T", "fields": fields})[1]


@pytest.mark.parametrize(
    ("schema", "texts"),
    [
        ({"type": "string", "default": "a"}, ("a",)),
        ({"type": "number", "default": 0}, ("0",)),
        ({"type": "number", "default": 2.125}, ("2.125",)),
        ({"type": "boolean", "default": True}, ("yes",)),
        ({"type": "boolean", "default": False}, ()),
        ({"enum": ["a", 2], "default": 2}, ("2",)),
        ({"type": "array", "items": {"enum": ["a", 2]}, "default": ["a", 2]}, ("a", "2")),
        ({"type": "string"}, ()),
    ],
)
def test_a_default_is_what_the_form_would_send(schema: dict[str, Any], texts: tuple[str, ...]) -> None:
    of = field(**schema)
    assert of.default_texts() == texts
    if texts:
        assert page_fields.from_texts(of, texts) == schema["default"]


def test_every_kind_is_tested() -> None:
    tested = {of.kind for of in (TEXT, LONG, DATE, EMAIL, NUMBER, INTEGER, YES_NO, ONE, SEVERAL)}
    assert tested == set(Kind)
