"""A refusal fails what waits, or the invocation."""

from typing import Any

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import DENIED, FakeWaits
from tests.support.in_process.moto_stack import MotoStack
from waitpoints.errors import InvalidRequest, TokenNotFound

UNKNOWN = "waitpoint_" + "0" * 26


@pytest.mark.slow
@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({}, "InvalidRequest"),
        ({"waitpointId": 5}, "InvalidRequest"),
        ({"waitpointId": "x" * 3000}, "TokenNotFound"),
        ({"waitpointId": "{id}", "timeout": "1h"}, "InvalidRequest"),
        ({"waitpointId": "{id}", "waitPointId": "{id}"}, "InvalidRequest"),
        ({"waitpointId": "$.token.id"}, "InvalidRequest"),
        ({"waitpointId": "{% $states.input.token.id %}"}, "InvalidRequest"),
        ({"waitpointId": "https://hooks.example.com/api/v1/waitpoints/tokens/x/callback/0"}, "InvalidRequest"),
        ({"waitpointId": UNKNOWN}, "TokenNotFound"),
        ({"waitpointId": "idempotency#x"}, "TokenNotFound"),
        ({"waitpointId": "{id}", "unwrap": "yes"}, "InvalidRequest"),
        ({"waitpointId": "{id}", "execution": "$$.Execution.Id"}, "InvalidRequest"),
        ({"waitpointId": "{id}", "execution": None}, "InvalidRequest"),
        ({"waitpointId": "{id}", "execution": "arn:aws:states:us-east-1:123456789012:stateMachine:orders"}, "InvalidRequest"),
    ],
)
def test_what_waits_with_invalid_input_fails_with_a_named_error(
    api: Api, stack: MotoStack, waits: FakeWaits, payload: dict[str, Any], error: str
) -> None:
    token, handle = api.create(), waits.start()
    before = stack.items(token["id"])
    written = {name: token["id"] if value == "{id}" else value for name, value in payload.items()}
    assert stack.call("wait_for_token", {**written, waits.member: handle}) is None
    result: Any = waits.result(handle)
    assert result.error == error
    assert result.cause
    assert stack.items(token["id"]) == before


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "text",
        None,
        {"waitpointId": UNKNOWN},
        {"waitpointId": UNKNOWN, "taskToken": 5},
        {"callbackId": "x"},
        {"callbackId": None},
    ],
)
def test_nothing_that_could_be_resumed_fails_the_invocation(stack: MotoStack, payload: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"object|taskToken|callbackId"):
        stack.call("wait_for_token", payload)


@pytest.mark.parametrize("function", ["wait_for_token", "create_token_in_state"])
def test_a_state_and_a_durable_function_cannot_wait_in_one_call_and_both_are_told(
    stack: MotoStack, strict_fakes: tuple[FakeWaits, ...], function: str
) -> None:
    handles = {waits.member: waits.start() for waits in strict_fakes}
    payload = {"waitpointId": UNKNOWN} if function == "wait_for_token" else {}
    assert stack.call(function, {**payload, **handles}) is None
    for waits in strict_fakes:
        result: Any = waits.result(handles[waits.member])
        assert (result.error, "exclude each other" in result.cause) == ("InvalidRequest", True)


def test_a_refusal_that_reaches_only_one_of_both_fails_the_invocation(
    stack: MotoStack, strict_fakes: tuple[FakeWaits, ...]
) -> None:
    handles = {waits.member: waits.start() for waits in strict_fakes}
    strict_fakes[1].stop(handles["callbackId"])
    with pytest.raises(InvalidRequest, match="exclude each other"):
        stack.call("wait_for_token", {"waitpointId": UNKNOWN, **handles})


@pytest.mark.parametrize("payload", [{"waitpointId": UNKNOWN}, {"waitpointId": "$.token.id"}])
def test_an_undeliverable_refusal_fails_the_invocation(stack: MotoStack, waits: FakeWaits, payload: dict[str, Any]) -> None:
    handle = waits.start()
    waits.stop(handle)
    with pytest.raises((InvalidRequest, TokenNotFound)):
        stack.call("wait_for_token", {**payload, waits.member: handle})
    waits.fail_next(DENIED)
    with pytest.raises((InvalidRequest, TokenNotFound)):
        stack.call("wait_for_token", {**payload, waits.member: waits.start()})


def test_a_task_token_of_another_account_fails_the_invocation(stack: MotoStack, step_functions: FakeStepFunctions) -> None:
    with pytest.raises(TokenNotFound):
        stack.call("wait_for_token", {"waitpointId": UNKNOWN, "taskToken": "of-another-account-" * 2})
