"""Bad input, on the deployed handlers and a real table: a clear error, and the token is unchanged."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.support.example_requests import make_example_key, named, put_example_endpoint, route_of, send
from tests.support.in_process.api_gateway import JSON, TOKENS, Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import Template
from tools.openapi import answers
from tools.openapi.operation import Operation
from tools.openapi.operations import OPERATIONS
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.wiring import services

NOBODY: dict[str, str] = {}
TOO_LARGE = b'{"data":1}'.ljust(PAYLOAD_LIMIT + 1)
UNKNOWN = "waitpoint_" + "0" * 26

BAD_INPUT: dict[str, tuple[int, str, str, Any, dict[str, str] | None]] = {
    # what it is: status, method, URL (with the token's id and callback URL), body, headers (None: with the API key)
    "complete: over the limit": (413, "POST", "{complete}", TOO_LARGE, None),
    "complete: wrong key": (401, "POST", "{complete}", '{"data":1}', {"authorization": "Bearer wrong"}),
    "complete: unknown token": (404, "POST", TOKENS + f"/{UNKNOWN}/complete", '{"data":1}', None),
    "complete: wrong method": (405, "PUT", "{complete}", '{"data":1}', None),
    "callback: wrong hash": (401, "POST", "{callback}x", b"1", JSON),
    "callback: short hash": (401, "POST", TOKENS + "/{id}/callback/0", b"1", JSON),
    "callback: hash that is not hexadecimal": (401, "POST", TOKENS + "/{id}/callback/" + "g" * 64, b"1", JSON),
    "callback: over the limit": (413, "POST", "{callback}", TOO_LARGE, JSON),
    "callback: wrong method": (405, "GET", "{callback}", None, JSON),
    "create again: wrong types": (400, "POST", TOKENS, {"idempotencyKey": "{id}", "tags": 5}, None),
    "create again: unreadable timeout": (422, "POST", TOKENS, {"idempotencyKey": "{id}", "timeout": "soon"}, None),
    "create again: over the limit": (413, "POST", TOKENS, b"x" * 70_000, None),
    "create again: no key": (401, "POST", TOKENS, {"idempotencyKey": "{id}"}, NOBODY),
    "retrieve: wrong key": (401, "GET", TOKENS + "/{id}", None, {"authorization": "wrong"}),
    "nowhere": (404, "POST", TOKENS + "/{id}/cancel", None, None),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD_INPUT)
def test_is_refused_and_leaves_the_token_exactly_as_it_was(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions, case: str
) -> None:
    status, method, url, body, headers = BAD_INPUT[case]
    token = api.create(idempotencyKey=case, timeout="1h")
    task_token = step_functions.start_task()
    stack.call("wait_for_token", {"waitpointId": token["id"], "taskToken": task_token})
    before = stack.items(token["id"])
    places = {"id": token["id"], "callback": token["url"], "complete": f"{TOKENS}/{token['id']}/complete"}
    if isinstance(body, dict):
        body = {name: case if value == "{id}" else value for name, value in body.items()}

    answer = api.request(method, url.format(**places), body, headers)

    assert answer.status == status
    if case != "nowhere":
        assert answer.error
        assert "Traceback" not in answer.text
    assert stack.items(token["id"]) == before
    assert step_functions.result(task_token) is None
    assert api.deliver(token, b'"later"').status == 200
    assert api.retrieve(token["id"])["output"] == '"later"'


@pytest.mark.parametrize("body", [b"", b'{"data":2}', b"not json", b"\xff"])
def test_a_second_delivery_changes_nothing(api: Api, stack: MotoStack, body: bytes) -> None:
    token = api.create()
    api.deliver(token, b'"first"')
    before = stack.items(token["id"])
    assert api.post(token["url"], body, {"content-type": "application/octet-stream"}).json == {"success": True}
    if body == b'{"data":2}':
        assert api.post(f"{TOKENS}/{token['id']}/complete", body).json == {"success": True, "settled": False}
    others, *same = stack.items(token["id"])
    assert (others["item"]["S"], others["count"]["N"]) == ("others", "1")
    assert same == before


def _throttled(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "table arn:aws:…"}}, "UpdateItem")


def _unreachable(**_: Any) -> None:
    raise EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com/")


def uses_the_table(operation: Operation) -> bool:
    """Whether the operation needs DynamoDB with the root key. A preflight does not, though its function may call it, and the
    path of a packet is read from the table only for a key with a tag.
    """
    function = route_of(operation, Template.load()).function
    return (
        operation.method != "OPTIONS"
        and operation.id != "get_packet_v1"
        and "dynamodb:" in str(function.properties["Policies"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("failure", [_throttled, _unreachable])
@pytest.mark.parametrize("operation", [it for it in OPERATIONS if uses_the_table(it)], ids=named)
def test_a_table_failure_asks_the_provider_to_retry_and_reveals_nothing(
    api: Api, clock: FakeClock, failure: Any, operation: Operation
) -> None:
    token = api.create()
    put_example_endpoint()
    make_example_key()
    failing = [f"before-call.dynamodb.{name}" for name in ("PutItem", "UpdateItem", "DeleteItem", "Query", "GetItem")]
    client = services.dynamodb_client
    for event in failing:
        client.meta.events.register_first(event, failure)
    try:
        answer = send(api, operation, token)
    finally:
        for event in failing:
            client.meta.events.unregister(event, failure)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "Please try again" in answer.text if operation.is_page else "Nothing was lost" in answer.error
    assert "aws" not in answer.text
    assert send(api, operation, token).status == 200
    completes = operation.result is answers.CompleteWaitpointTokenResponse and "waitpointId" in operation.names("path")
    assert api.retrieve(token["id"])["status"] == ("COMPLETED" if completes else "WAITING")
