"""Register an execution as a waiter. A state invokes this function with `lambda:invoke.waitForTaskToken`.

The payload is `{"waitpointId": …, "taskToken": $$.Task.Token}`, with `"unwrap": true` for the bare output, or
`"context": true` for who completed the token as well. With `"execution": $$.Execution.Id`, retrieve shows which execution
waits. The state's result comes through the task token when the token settles, or at once when it has settled already.

A durable function invokes it in the submitter of `wait_for_callback`, with `"callbackId"` in place of `"taskToken"`.
"""

from typing import Any

from waitpoints import execution, handles, ids
from waitpoints.errors import InvalidRequest
from waitpoints.state_task import state_task
from waitpoints.token import Waiter, WaiterKind
from waitpoints.unknown_names import refuse_unknown
from waitpoints.wiring import services

FIELDS = ("waitpointId", "taskToken", "callbackId", "unwrap", "context", "execution")

services.build_at_start(lambda s: s.tokens)


@state_task
def handler(payload: dict[str, Any]) -> None:
    refuse_unknown(payload, FIELDS)
    unwrap, context = is_set(payload, "unwrap"), is_set(payload, "context")
    if unwrap and context:
        raise InvalidRequest('"unwrap" and "context" exclude each other: the bare output has no room for completedBy')
    arn = execution.check_arn(payload["execution"]) if "execution" in payload else None
    kind, handle = read_waiter(payload)
    services.tokens.wait(read_waitpoint_id(payload), Waiter(handle, services.now(), unwrap, context, arn, kind))


def read_waiter(payload: dict[str, Any]) -> tuple[WaiterKind, str]:
    """Return the kind of what waits, and what resumes it. Raises InvalidRequest unless the payload has exactly one of them."""
    if "taskToken" in payload and "callbackId" in payload:
        raise InvalidRequest('"taskToken" and "callbackId" exclude each other: a state waits, or a durable function')
    if "callbackId" in payload:
        return WaiterKind.DURABLE_FUNCTION, handles.check_callback_id(payload["callbackId"])
    if "taskToken" in payload:
        return WaiterKind.STEP_FUNCTIONS, handles.check_task_token(payload["taskToken"])
    raise InvalidRequest('"taskToken" is missing (or "callbackId", if a durable function waits): nothing could be resumed')


def read_waitpoint_id(payload: dict[str, Any]) -> str:
    """Return the id of the token to wait for. Raises InvalidRequest that explains a common mistake, or TokenNotFound."""
    text = payload.get("waitpointId")
    if not isinstance(text, str) or not text:
        raise InvalidRequest('"waitpointId" must be the id of a waitpoint')
    if handles.is_expression(text):
        raise InvalidRequest(
            '"waitpointId" is an expression that was not evaluated: write "waitpointId.$": "$.token.id" in JSONPath, or '
            '"waitpointId": "{% $states.input.token.id %}" in JSONata'
        )
    if "/" in text:
        raise InvalidRequest('"waitpointId" is a URL or a path: pass the id alone, waitpoint_…')
    return ids.parse(text)


def is_set(payload: dict[str, Any], name: str) -> bool:
    value = payload.get(name, False)
    if not isinstance(value, bool):
        raise InvalidRequest(f'"{name}" must be true or false')
    return value
