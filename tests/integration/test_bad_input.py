"""A late delivery, and a table that fails: a clear answer, and the token is unchanged."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.support.example_requests import make_example_key, named, put_example_endpoint, route_of, send
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import Template
from tests.support.scope_table import DELETE
from tools.openapi import answers
from tools.openapi.operation import Operation
from tools.openapi.operations import OPERATIONS
from waitpoints.wiring import services


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
    if operation.id == DELETE:
        assert services.store.find(token["id"]) is None
    else:
        assert api.retrieve(token["id"])["status"] == ("COMPLETED" if completes else "WAITING")
