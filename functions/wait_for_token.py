"""Register an execution as a waiter. A state invokes this function with `lambda:invoke.waitForTaskToken`.

The payload is `{"waitpointId": …, "taskToken": $$.Task.Token}`, with `"unwrap": true` for the bare output. The state's
result arrives through the task token: when the token settles, or at once if it already has.
"""

from typing import Any

from waitpoints import ids, task_token
from waitpoints.errors import InvalidRequest
from waitpoints.known_names import refuse_unknown
from waitpoints.state_task import state_task
from waitpoints.token import Waiter
from waitpoints.wiring import services

FIELDS = ("waitpointId", "taskToken", "unwrap")

services.build_at_start("tokens")


@state_task
def handler(payload: dict[str, Any]) -> None:
    refuse_unknown(payload, FIELDS)
    waiter = Waiter(task_token.check(payload.get("taskToken")), services.now(), unwrap(payload))
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


def unwrap(payload: dict[str, Any]) -> bool:
    wanted = payload.get("unwrap", False)
    if not isinstance(wanted, bool):
        raise InvalidRequest('"unwrap" must be true or false')
    return wanted
