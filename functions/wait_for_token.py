"""Invoked by a state with `lambda:invoke.waitForTaskToken`: the execution waits for a token.

The payload is `{"waitpointId": …, "taskToken": $$.Task.Token}`, with `"unwrap": true` for the bare output. The state's
result comes through the task token when the token settles, or at once when it has settled already.
"""

from typing import Any

from waitpoints import ids, task_token
from waitpoints.errors import InvalidRequest
from waitpoints.known_names import refuse_unknown
from waitpoints.state_task import state_task
from waitpoints.token import Waiter
from waitpoints.wiring import services

services.build_at_start("tokens")


@state_task
def handler(payload: dict[str, Any]) -> None:
    refuse_unknown(payload, ["waitpointId", "taskToken", "unwrap"])
    waiter = Waiter(task_token.check(payload.get("taskToken")), services.now(), unwrap(payload))
    services.tokens.wait(waitpoint_id(payload), waiter)


def waitpoint_id(payload: dict[str, Any]) -> str:
    """The id of the token to wait for. Raises InvalidRequest for what can't be an id because of a common mistake."""
    written = payload.get("waitpointId")
    if not isinstance(written, str) or not written:
        raise InvalidRequest('"waitpointId" must be the id of a waitpoint')
    if task_token.is_expression(written):
        raise InvalidRequest(
            '"waitpointId" is an expression that was not evaluated: write "waitpointId.$": "$.token.id" in JSONPath, or '
            '"waitpointId": "{% $states.input.token.id %}" in JSONata'
        )
    if "/" in written:
        raise InvalidRequest('"waitpointId" is a URL or a path: pass the id alone, waitpoint_…')
    return ids.parse(written)


def unwrap(payload: dict[str, Any]) -> bool:
    wanted = payload.get("unwrap", False)
    if not isinstance(wanted, bool):
        raise InvalidRequest('"unwrap" must be true or false')
    return wanted
