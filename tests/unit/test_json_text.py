"""JSON that is passed on as the text that was sent."""

import json
import math
import time
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints import json_text
from waitpoints.json_text import MAX_DEPTH, NotJson, RepeatedName

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
CONFUSING = st.text('[]{}"\\,ü', max_size=6)
NESTED = st.recursive(
    st.integers() | CONFUSING,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(CONFUSING, inner, max_size=4),
    max_leaves=20,
)
NOT_JSON = [
    "",
    " ",
    "{",
    '{"a":1,}',
    "[1,]",
    "{'a':1}",
    "NaN",
    "[Infinity]",
    "-Infinity",
    "tru",
    "01",
    "1 2",
    '"\t"',
    "undefined",
    "{1:2}",
]


def depth(value: Any) -> int:
    """How many lists and objects are around the innermost value, and itself if it is one."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_valid_json_is_accepted_and_parsed(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = f" \r\n\t{json.dumps(value, indent=indent, ensure_ascii=ascii_only)}\n"
    json_text.check(text)
    assert json_text.parse(text) == value


@pytest.mark.parametrize("text", NOT_JSON)
def test_invalid_json_is_refused(text: str) -> None:
    for read in (json_text.check, json_text.parse, json_text.members):
        with pytest.raises(NotJson):
            read(text)


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \\', max_size=30))
def test_any_text_is_accepted_exactly_when_a_strict_parser_accepts_it(text: str) -> None:
    try:
        value = json.loads(text)
        strict = not any(name in text for name in ("NaN", "Infinity"))
    except ValueError:
        strict, value = False, None
    if strict:
        assert json_text.parse(text) == value or math.isinf(value)
    else:
        with pytest.raises(NotJson):
            json_text.check(text)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.sampled_from([None, 2]))
def test_the_text_of_each_member_is_its_value(members: dict[str, Any], indent: int | None) -> None:
    found = json_text.members(json.dumps(members, indent=indent))
    assert {name: json.loads(text) for name, text in found.items()} == members


def test_a_member_is_kept_exactly_as_sent() -> None:
    data = '{ "n" : 1.50, "big":12345678901234567890123, "tiny": 1e-400, "n": "\\u00fc", "__proto__": {} }'
    assert json_text.members(f'\n{{ "a" : null ,"data":\t{data} , "z":[]}}\n') == {"a": "null", "data": data, "z": "[]"}


@pytest.mark.parametrize("text", ['{"data": 1, "data": 2}', '{"d\\u0061ta": 1, "data": 1}'])
def test_a_repeated_member_is_named(text: str) -> None:
    for read in (json_text.members, json_text.parse_unambiguous):
        with pytest.raises(RepeatedName, match='"data" comes twice'):
            read(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"a": {"b": 1, "b": 1}}', "b"),
        ('{"c": [{"a": 1}, {"a": 1, "b": 1, "b": 2}]}', "b"),
        ('{"kept": 1, "kept": {"b": 1}}', "kept"),
        ('{"kept": {"x": 1, "x": 2}, "a": [{"b": 1, "b": 1}]}', "b"),
        ('{"a": {"kept": {"b": 1, "b": 2}}}', "b"),
        (f'{{"{"x" * 100}": 1, "{"x" * 100}": 2}}', "x" * 60 + "…"),
    ],
)
def test_a_repeated_name_is_named_at_any_depth(text: str, name: str) -> None:
    with pytest.raises(RepeatedName) as refused:
        json_text.parse_unambiguous(text, kept=("kept",))
    assert str(refused.value) == f'"{name}" comes twice'


def test_a_name_may_be_repeated_within_what_is_kept() -> None:
    text = '{"a": 1, "kept": {"b": 1, "b": 2, "c": [{"d": 1, "d": 3}]}}'
    assert json_text.parse_unambiguous(text, kept=("kept",)) == {"a": 1, "kept": {"b": 2, "c": [{"d": 3}]}}


@pytest.mark.parametrize("text", ["[]", '"data"', "1", "null", "true"])
def test_only_an_object_has_members(text: str) -> None:
    with pytest.raises(NotJson):
        json_text.members(text)


def test_a_number_of_any_length_is_accepted() -> None:
    json_text.check("9" * 100_000)
    assert json_text.members(f'{{"data":{"9" * 100_000}}}') == {"data": "9" * 100_000}


class TestDepth:
    @pytest.mark.parametrize(("open_", "close"), [("[", "]"), ('{"a":', "}")])
    def test_is_limited_so_that_every_parser_can_read_the_answer_around_it(self, open_: str, close: str) -> None:
        inside = "[]" if open_ == "[" else "{}"
        json_text.check(open_ * (MAX_DEPTH - 1) + inside + close * (MAX_DEPTH - 1))
        with pytest.raises(NotJson):
            json_text.check(open_ * MAX_DEPTH + inside + close * MAX_DEPTH)

    def test_of_a_hundred_thousand_is_refused_without_a_crash(self) -> None:
        with pytest.raises(NotJson):
            json_text.check("[" * 100_000 + "]" * 100_000)

    def test_does_not_count_brackets_in_strings_or_side_by_side(self) -> None:
        json_text.check(json.dumps(["[" * 2000, '"[' * 2000, "\\[" * 2000]))
        json_text.check(json.dumps([[]] * 2000))

    @given(NESTED, st.sampled_from([None, 1]), st.integers(0, 5), st.sampled_from([1, 2, 3, 256]))
    def test_is_that_of_the_value_whatever_strings_hold(self, value: Any, indent: int | None, limit: int, part: int) -> None:
        """With other limits, and when the brackets are counted in other parts."""
        text = json.dumps(value, indent=indent)
        with mock.patch.multiple(json_text, MAX_DEPTH=limit, _PART=part):
            if depth(value) > limit:
                with pytest.raises(NotJson):
                    json_text.check(text)
            else:
                json_text.check(text)

    def test_of_the_largest_body_is_measured_quickly(self) -> None:
        text = json.dumps(["[" * 1_500_000, [{}] * 400_000])
        started = time.process_time()
        json_text.check(text)
        assert time.process_time() - started < 5


@given(VALUES)
def test_dumps_writes_compact_json_of_the_same_value(value: Any) -> None:
    text = json_text.dumps(value)
    assert json.loads(text) == value
    assert len(text) <= len(json.dumps(value))


def test_dumps_output_can_be_encoded_even_with_a_lone_surrogate() -> None:
    for value in ("\ud83d", {"a\udc00": ["ü"]}):
        assert json.loads(json_text.dumps(value).encode()) == value


@given(st.dictionaries(st.text(), VALUES, min_size=1), VALUES)
def test_one_more_member_stays_as_it_is(value: dict[str, Any], more: Any) -> None:
    text = f" {json.dumps(more)} "
    longer = json_text.object_of({**json_text.texts(value), "last of all": text})
    assert longer.endswith(f"{text}}}")
    assert list(json.loads(longer).items())[-1] == ("last of all", more)
    assert {**json.loads(longer), "last of all": None} == {**value, "last of all": None}
