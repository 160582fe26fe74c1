"""Invoked by a state with `lambda:invoke.waitForTaskToken`: the execution waits for a token.

The payload is `{"waitpointId": …, "taskToken": $$.Task.Token}`, with `"unwrap": true` for the bare output. The state's
result comes through the task token when the token settles, or at once when it has settled already.
"""

from typing import Any

from waitpoints import ids
from waitpoints.errors import InvalidRequest
from waitpoints.state_task import state_task
from waitpoints.token import Waiter
from waitpoints.wiring import services

services.build_at_start("tokens")


@state_task
def handler(payload: dict[str, Any]) -> None:
    token_id = ids.parse(_text(payload, "waitpointId"))
    unwrap = payload.get("unwrap", False)
    if not isinstance(unwrap, bool):
        raise InvalidRequest('"unwrap" must be true or false')
    services.tokens.wait(token_id, Waiter(_text(payload, "taskToken"), services.now(), unwrap))


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 2048:
        raise InvalidRequest(f'"{name}" must be a text of 1 to 2048 characters')
    return value
