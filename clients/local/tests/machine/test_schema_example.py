"""The values that `waitpoints try` makes up fit, as the stack itself checks them."""

import json
from typing import Any

import pytest
from waitpoints.api import payload_schema
from waitpoints.api.page import fields as page_fields
from waitpoints.api.page import page_checks

from waitpoints_local.machine.schema_example import Example, example

FIELDS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "format": "textarea", "minLength": 300},
    {"type": "string", "minLength": 3, "maxLength": 4},
    {"type": "string", "maxLength": 1, "default": " "},
    {"type": "string", "pattern": "^[^0-9]*$", "maxLength": 40},
    {"type": "string", "pattern": "^[0-9]{5}$"},
    {"type": "string", "pattern": "^[A-Z]{2,3}-[0-9]+$"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "email", "maxLength": 6},
    {"type": "string", "format": "email", "pattern": "@example"},
    {"type": "number"},
    {"type": "number", "minimum": 0.01, "maximum": 500},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "maximum": -2.5},
    {"type": "integer"},
    {"type": "integer", "exclusiveMinimum": 1, "multipleOf": 7},
    {"type": "integer", "minimum": 1.5, "exclusiveMaximum": 3},
    {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
    {"type": "boolean"},
    {"type": "boolean", "const": True},
    {"type": "boolean", "default": False},
    {"enum": ["a", 2]},
    {"enum": ["a", 2], "default": 2},
    {"oneOf": [{"const": "late", "title": "It came late"}, {"const": "broken"}]},
    {"type": "array", "items": {"enum": ["lamp", "cable", "plug"]}},
    {"type": "array", "items": {"oneOf": [{"const": 1}, {"const": 2}]}, "minItems": 2},
]
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "integer"}, "c": {"type": "string"}}},
    {"required": ["a"], "properties": {"a": {"required": ["b"], "properties": {"b": {"const": None}}}}},
    {"type": "string", "minLength": 20},
    {"type": ["array", "null"], "items": {"type": "object", "required": ["n"], "properties": {"n": {"multipleOf": 0.3}}}},
    {"type": "array", "minItems": 3, "items": {"type": "string"}},
    {"type": "array", "maxItems": 0},
    {"anyOf": [{"type": "object", "required": ["a"]}, {"type": "string"}]},
    {"type": "null"},
    {"maximum": 1e300},
    {},
]


@pytest.mark.parametrize("schema", FIELDS, ids=json.dumps)
def test_a_field_of_a_page_gets_a_value_that_fits(schema: dict[str, Any]) -> None:
    form = {"type": "object", "required": ["f"], "properties": {"f": schema, "not needed": {"type": "string"}}}
    page_checks.parse({"title": "?", "fields": form})  # a page that the stack accepts

    made = example(form)

    [field, _] = page_fields.of_schema(form)
    assert made.missing == ()
    assert set(made.value) == {"f"}
    assert page_fields.from_json(field, made.value) == made.value["f"]


def test_every_kind_of_field_is_tried() -> None:
    parsed = (page_fields.of_schema({"properties": {"f": schema}, "required": ["f"]}) for schema in FIELDS)
    assert {field.kind for [field] in parsed} == set(page_fields.Kind)


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_a_payload_schema_gets_a_value_that_fits(schema: dict[str, Any]) -> None:
    made = example(schema)
    assert made.missing == ()
    assert payload_schema.find_violation(schema, json.dumps(made.value)) is None


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"required": ["b"], "properties": {"b": {"minimum": 3}}}, {"status": "ok", "a": {"x": 1}, "b": 3}),
        (
            {"properties": {"a": {"required": ["y"], "properties": {"y": {"enum": [2]}}}}},
            {"status": "ok", "a": {"x": 1, "y": 2}},
        ),
        ({"properties": {"status": {"enum": ["bad"]}}, "additionalProperties": False}, {"status": "ok"}),
    ],
)
def test_what_the_machine_asks_for_is_kept(schema: dict[str, Any], value: Any) -> None:
    assert example(schema, {"status": "ok", "a": {"x": 1}}) == Example(value)


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"required": ["code", "n"], "properties": {"code": {"pattern": "^x{7}y$"}}}, Example({"n": True}, ("code",))),
        (
            {"required": ["a"], "properties": {"a": {"required": ["b"], "properties": {"b": {"not": {}}}}}},
            Example({"a": {}}, ("a.b",)),
        ),
        (
            {"required": ["a"], "properties": {"a": {"items": {"type": "string"}, "uniqueItems": True, "minItems": 2}}},
            Example({}, ("a",)),
        ),
        ({"pattern": "^[0-9]{4}-[A-Z]{9}!$"}, Example(None, ("the output",))),
        ({"pattern": "(", "minLength": 10**12}, Example(None, ("the output",))),
    ],
)
def test_a_place_is_named_for_which_nothing_is_found(schema: dict[str, Any], found: Example) -> None:
    assert example(schema) == found
