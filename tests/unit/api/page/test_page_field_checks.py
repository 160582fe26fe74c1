"""A field is refused if no form can send an answer to it."""

import json
from typing import Any

import pytest

from tests.unit.api.page.test_page_fields import field
from waitpoints.api.page import fields as page_fields
from waitpoints.api.page import page_checks
from waitpoints.errors import InvalidPage

NOT_ANSWERED = [
    ("two\nlines", {"type": "string"}),
    ("a\r", {"type": "string"}),
    ("it", {"enum": ["a\nb"]}),
    ("it", {"type": "array", "items": {"oneOf": [{"const": "a\r\nb", "title": "A"}]}}),
    ("it", {"type": "string", "enum": [1]}),
    ("it", {"type": "integer", "enum": ["a", 1]}),
    ("it", {"type": "array", "items": {"type": "string", "enum": ["a", 1]}}),
    ("it", {"oneOf": [{"const": 1}, {"const": 1.0}]}),
    ("it", {"type": "array", "items": {"enum": ["a"]}, "minItems": 5}),
    ("it", {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 1}),
    ("it", {"type": "array", "items": {"enum": ["a"]}, "maxItems": 0}),
    ("it", {"type": "string", "minLength": 5, "maxLength": 4}),
    ("it", {"type": "string", "format": "email", "minLength": 300}),
    ("it", {"type": "number", "minimum": 5, "maximum": 3}),
    ("it", {"type": "number", "minimum": 3, "exclusiveMaximum": 3}),
    ("it", {"type": "number", "minimum": 1e30}),
    ("it", {"type": "number", "exclusiveMaximum": -(2**53)}),
    ("it", {"type": "number", "minimum": 1e30, "multipleOf": 0.1}),
    ("it", {"type": "integer", "minimum": 1e300, "multipleOf": 3}),
    ("it", {"type": "integer", "minimum": int("1" * 401), "multipleOf": 7}),
    ("it", {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}),
    ("it", {"type": "integer", "minimum": 1, "maximum": 4, "multipleOf": 2.5}),
    ("it", {"type": "number", "exclusiveMinimum": 2, "maximum": 3, "multipleOf": 2}),
    ("it", {"type": "integer", "default": 9007199254740993}),
    ("it", {"type": "integer", "default": 1e21}),
    ("it", {"type": "number", "default": 1e21}),
    ("it", {"type": "string", "default": "two\nlines"}),
    ("it", {"type": "string", "format": "textarea", "default": "a\x0b"}),
    ("it", {"type": "array", "items": {"enum": ["a"]}, "default": ["a", "a"]}),
]


@pytest.mark.parametrize(("name", "schema"), NOT_ANSWERED, ids=lambda it: json.dumps(it)[:60])
def test_a_field_that_no_browser_can_answer_is_refused_with_its_place(name: str, schema: Any) -> None:
    with pytest.raises(InvalidPage) as refusal:
        page_checks.parse({"title": "T", "fields": {"properties": {"ok": {"type": "string"}, name: schema}}})[1]
    assert f"page.fields.properties.{name}" in refusal.value.message


@pytest.mark.parametrize("pattern", [r"^\p{L}+$", "(", "(?=a)", r"(a)\1", "a{9999}", 1])
def test_a_pattern_that_cannot_be_checked_is_refused_with_the_reason(pattern: Any) -> None:
    fields = {"properties": {"code": {"type": "string", "pattern": pattern}}}
    with pytest.raises(InvalidPage, match=r"page\.fields\.properties\.code\.pattern: .*look-around.*Unicode class"):
        page_checks.parse({"title": "T", "fields": fields})[1]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "minimum": 3, "maximum": 3},
        {"type": "number", "maximum": 1e300, "multipleOf": 0.1},
        {"type": "integer", "minimum": 1, "maximum": 5, "multipleOf": 2.5},
        {"type": "integer", "exclusiveMinimum": 1.5, "exclusiveMaximum": 2.5},
        {"type": "number", "exclusiveMinimum": 2, "maximum": 4, "multipleOf": 2},
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 9, "default": ["b", "a"]},
        {"type": "string", "minLength": 3, "maxLength": 3, "default": " a "},
        {"type": "string", "default": ""},
        {"type": "string", "format": "textarea", "default": "a\r\nb"},
        {"type": "string", "enum": ["a"], "default": "a"},
        {"type": "array", "items": {"enum": ["a"]}, "default": []},
        {"type": "integer", "default": 3.0},
        {"type": "boolean", "default": False},
    ],
    ids=json.dumps,
)
def test_a_field_that_a_browser_can_answer_is_accepted(schema: Any) -> None:
    assert page_fields.problem(field(**schema), None)
