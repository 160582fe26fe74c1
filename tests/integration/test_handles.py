"""What resumes a waiter is checked before it is stored."""

import base64

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.waits import FakeWaits, Fault, refusal
from tests.support.in_process.moto_stack import MotoStack
from waitpoints.errors import InvalidRequest
from waitpoints.waiter_result import Success

INVALID = "InvalidParameterValueException"
UNKNOWN = "waitpoint_" + "0" * 26


NO_HANDLES = {  # a member: what is refused, and what the refusal says
    "callbackId": (
        ["$.callbackId", "{% $callbackId %}", "{callback_id}", "-_" * 20, "A" * 1025, "a b" * 10, "A" * 19],
        "wait_for_callback gives its submitter",
    ),
    "taskToken": (
        [
            "$$.Task.Token",
            "$states.context.Task.Token",
            "{% $states.context.Task.Token %}",
            "arn:aws:states:us-east-1:123456789012:execution:orders:4711",
            UNKNOWN,
            f"https://hooks.example.com/api/v1/waitpoints/tokens/{UNKNOWN}/callback/0",
        ],
        "JSONPath.*JSONata",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("function", ["wait_for_token", "create_token_in_state"])
@pytest.mark.parametrize(
    ("member", "written", "said"), [(it, written, said) for it, (each, said) in NO_HANDLES.items() for written in each]
)
def test_what_is_no_handle_fails_the_invocation(
    api: Api, stack: MotoStack, strict_fakes: tuple[FakeWaits, ...], function: str, member: str, written: str, said: str
) -> None:
    """If stored, the execution would wait without end, or a plain `lambda:invoke` state would succeed at once."""
    token = api.create()
    before = stack.items(token["id"])
    payload = {"waitpointId": token["id"]} if function == "wait_for_token" else {}
    with pytest.raises(InvalidRequest, match=said):
        stack.call(function, {**payload, member: written})
    assert stack.items(token["id"]) == before
    assert sum(waits.calls.total() for waits in strict_fakes) == 0


@pytest.mark.parametrize(("code", "status"), [("ResourceNotFoundException", "GONE"), (INVALID, "UNDELIVERED")])
def test_a_task_token_in_place_of_a_callback_id_blocks_no_other_waiter(
    api: Api, stack: MotoStack, strict_fakes: tuple[FakeWaits, ...], code: str, status: str
) -> None:
    """Only Lambda can tell them apart, since both are base64. AWS does not document which of these it answers."""
    functions, (_, durable_functions) = stack.functions(), strict_fakes
    token, task_token, callback_id = api.create(), base64.b64encode(b"task token" * 50).decode(), durable_functions.start()
    for handle in (task_token, callback_id):
        functions["wait_for_token"].call({"waitpointId": token["id"], "callbackId": handle})
    durable_functions.fail_next(Fault(refusal(code, "as the test says")), times=10, handle=task_token)
    assert api.deliver(token, b'"approved"').status == 200
    left = functions["resume_waiters"].call({"command": "resume", "waitpointIds": [token["id"]]})
    assert left == {"undelivered": 1 if status == "UNDELIVERED" else 0}
    assert [waiter["status"] for waiter in api.retrieve(token["id"])["waiters"]] == [status, "RESUMED"]
    assert durable_functions.result(callback_id) == Success('{"ok":true,"output":"approved"}')
