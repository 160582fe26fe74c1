"""A request that has two members of one name is refused: whoever reads it in front of the stack may take the other one.

What callers only hand over, an output or `metadata`, keeps each of them (contract C2 and P1).
"""

import json
from typing import Any

import pytest

from tests.support.example_requests import named
from tests.support.in_process.api_gateway import TOKENS, Api, path_of
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi.operation import Operation
from tools.openapi.operations import OPERATIONS

WITH_BODY = [operation for operation in OPERATIONS if operation.body and operation.body.model]
APPROVERS = '"title": "Go?", "actions": [{"id": "yes", "label": "Yes"}], "approvers": ["ann"], "approvers": ["bo"]'


def test_these_are_all_requests_of_the_apis_own() -> None:
    assert len(WITH_BODY) == 11


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
def test_each_request_refuses_it(api: Api, world: World, operation: Operation) -> None:
    token = api.create()
    assert operation.body is not None
    name = next(iter([*operation.body.example, *operation.body.fields]))
    text = json.dumps({name: 0, **operation.body.example}).replace("{", f'{{"{name}": {{}}, ', 1)
    path = operation.example_path(waitpointId=token["id"], name="orders")
    says = f'Invalid JSON: "{name}" comes twice', "InvalidRequest"
    assert is_refused(world, lambda: api.request(operation.method, path, text), 400, *says).json.keys() == {"error", "code"}


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("", f'{{"page": {{{APPROVERS}}}}}', "approvers"),
        ("", '{"page": {"title": "Go?"}, "notify": {"slack": "#a", "slack": "#b"}}', "slack"),
        ("", '{"verify": {"scheme": "github", "secret": "a", "secret": "b"}}', "secret"),
        ("", '{"payloadSchema": {"properties": {"a": {"type": "string", "type": "null"}}}}', "type"),
        ("", '{"metadata": {"a": 1}, "metadata": {"a": 2}}', "metadata"),
        ("/{id}/complete", '{"error": {"message": "a", "message": "b"}}', "message"),
        ("/{id}/complete", '{"data": 1, "data": 2}', "data"),
    ],
)
def test_it_is_refused_at_any_depth(api: Api, world: World, path: str, body: str, name: str) -> None:
    token = api.create()
    url = TOKENS + path.format(id=token["id"])
    is_refused(world, lambda: api.post(url, body), 400, f'Invalid JSON: "{name}" comes twice')


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ('{"action": "yes", "action": "no"}', "action"),
        ('{"action": "yes", "fields": {}, "fields": {"amount": 1}}', "fields"),
        ('{"action": "yes", "fields": {"amount": 1, "amount": 1000000}}', "amount"),
    ],
)
def test_an_answer_to_a_page_is_refused_with_it(api: Api, world: World, choice: str, name: str) -> None:
    """What was chosen must be the same to all who read it."""
    page: dict[str, Any] = {
        "title": "Pay?",
        "actions": [{"id": "yes", "label": "Yes"}, {"id": "no", "label": "No"}],
        "fields": {"type": "object", "properties": {"amount": {"type": "integer"}}},
    }
    token = api.create(page=page)
    says = f'The body does not fit the token\'s page: "{name}" comes twice.'
    is_refused(world, lambda: api.post(token["url"], choice), 422, says, is_counted=True)
    is_refused(world, lambda: api.post(f"{path_of(token)}/complete", f'{{"data": {choice}}}'), 422, says)
