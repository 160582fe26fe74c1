"""Every request body refuses a name that it does not know, and suggests the nearest one it knows, in the same words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

import wait_for_token
from tests.support.example_requests import WITH_JSON_BODY, places, put_example_endpoint
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tools.openapi.document import document
from tools.openapi.operation import Operation
from tools.openapi.operations import by_id
from waitpoints.errors import InvalidRequest
from waitpoints.ids import new_id

SCHEMAS = document()["components"]["schemas"]
FUNCTIONS = Template.load().functions()
NEEDED: Mapping[str, Any] = {
    "error": {"message": "no"},
    "verify": {"scheme": "github", "secret": "github"},
}  # of an object in a body
BESIDE: Mapping[str, Any] = {"notify": {"page": {"title": "Go on?"}}}  # an object in a body


def misspelt(name: str) -> str:
    return name + name[-1]


def objects(schema: Mapping[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The place of every object in a body, and the name of each of its members."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    for alternative in schema.get("anyOf", ()):
        yield from objects(alternative, place)
    for name, member in schema.get("properties", {}).items():
        yield place, name
        yield from objects(member, (*place, name))


def names_of(operation: Operation) -> Iterator[tuple[tuple[str, ...], str]]:
    """But of a page, whose members `test_page_page_checks.py` misspells."""
    assert operation.body
    found = objects(operation.body.described()["content"]["application/json"]["schema"])
    yield from (it for it in found if it[0][:1] != ("page",))


def with_member(body: Mapping[str, Any], place: tuple[str, ...], name: str) -> dict[str, Any]:
    """The body with one more member in the object at a place."""
    if not place:
        return {**body, name: 1}
    inner = NEEDED.get(place[0]) or body.get(place[0], {})
    return {**body, **BESIDE.get(place[0], {}), place[0]: with_member(inner, place[1:], name)}


BODIES = [
    pytest.param(operation, place, name, id=f"{operation.id}: {'.'.join((*place, name))}")
    for operation in WITH_JSON_BODY
    for place, name in names_of(operation)
]


def test_every_object_of_every_body_is_tried() -> None:
    places_of = {(operation.id, place) for operation in WITH_JSON_BODY for place, _ in names_of(operation)}
    inner = {place for _, place in places_of if place}
    assert inner == {("verify",), ("verify", "timestamp"), ("error",), ("claims",), ("notify",), ("approvers",)}
    assert {operation for operation, place in places_of if not place} == {operation.id for operation in WITH_JSON_BODY}


@pytest.mark.parametrize(("operation", "place", "name"), BODIES)
def test_a_misspelt_field_is_refused_with_the_nearest(
    api: Api, operation: Operation, place: tuple[str, ...], name: str
) -> None:
    put_example_endpoint()
    assert operation.body
    alone = (("data", "error"), ("timeout", "approvers"))
    body = {field: value for field, value in operation.body.example.items() if (field, *place[:1]) not in alone}
    url = operation.example_path(**places(api.create()))
    answer = api.request(operation.method, url, with_member(body, place, misspelt(name)))
    assert answer.status == (422 if place[:1] in (("verify",), ("notify",), ("approvers",)) else 400)
    assert answer.error.endswith(f'unknown field "{misspelt(name)}": did you mean "{name}"?')


def fields(operation_id: str) -> Sequence[str]:
    body = by_id(operation_id).body
    assert body
    return body.fields


STATE_PAYLOADS: Mapping[str, tuple[dict[str, Any], Sequence[str]]] = {
    "wait_for_token": ({}, wait_for_token.FIELDS),
    "create_token_in_state": ({}, fields("create_waitpoint_token_v1")),
    "complete_token_in_state": ({"waitpointId": new_id(0)}, fields("complete_waitpoint_token_v1")),
}


@pytest.mark.parametrize(
    ("function", "name"), [(function, name) for function, (_, names) in STATE_PAYLOADS.items() for name in names]
)
def test_a_misspelt_field_of_a_states_payload_is_refused_with_the_nearest(
    world: World, monkeypatch: pytest.MonkeyPatch, function: str, name: str
) -> None:
    world.install(monkeypatch)
    payload, _ = STATE_PAYLOADS[function]
    with pytest.raises(InvalidRequest) as refused:
        FUNCTIONS[function].call({**payload, misspelt(name): 1})
    assert refused.value.message.endswith(f'unknown field "{misspelt(name)}": did you mean "{name}"?')
