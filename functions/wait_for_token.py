"""Register an execution as a waiter. A state invokes this function with `lambda:invoke.waitForTaskToken`.

The payload is `{"waitpointId": …, "taskToken": $$.Task.Token}`, with `"unwrap": true` for the bare output, or
`"context": true` for who completed the token as well. With `"execution": $$.Execution.Id`, retrieve shows which execution
waits. The state's result comes through the task token when the token settles, or at once when it has settled already.
"""

from typing import Any

from waitpoints import execution, ids, task_token
from waitpoints.errors import InvalidRequest
from waitpoints.known_names import refuse_unknown
from waitpoints.state_task import state_task
from waitpoints.token import Waiter
from waitpoints.wiring import services

FIELDS = ("waitpointId", "taskToken", "unwrap", "context", "execution")

services.build_at_start("tokens")


@state_task
def handler(payload: dict[str, Any]) -> None:
    refuse_unknown(payload, FIELDS)
    unwrap, context = is_set(payload, "unwrap"), is_set(payload, "context")
    if unwrap and context:
        raise InvalidRequest('"unwrap" and "context" exclude each other: the bare output has no room for completedBy')
    arn = execution.check(payload["execution"]) if "execution" in payload else None
    waiter = Waiter(task_token.check(payload.get("taskToken")), services.now(), unwrap, context, arn)
    services.tokens.wait(waitpoint_id(payload), waiter)


def waitpoint_id(payload: dict[str, Any]) -> str:
    """Return the id of the token to wait for. Raises InvalidRequest that explains a common mistake, or TokenNotFound."""
    text = payload.get("waitpointId")
    if not isinstance(text, str) or not text:
        raise InvalidRequest('"waitpointId" must be the id of a waitpoint')
    if task_token.is_expression(text):
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
