"""Invoked by a state machine: complete a token with data, or fail it with an error.

The payload is `{"waitpointId": …}` with `"data"` or `"error"`, as over HTTP.
"""

from typing import Any

from waitpoints import ids, json_text
from waitpoints.api import completion, reception
from waitpoints.errors import InvalidRequest
from waitpoints.state_task import state_task
from waitpoints.token import Origin, Source, TokenError
from waitpoints.wiring import services

services.build_at_start("tokens", "step_functions_client")


@state_task
def handler(payload: dict[str, Any]) -> dict[str, Any]:
    written_id = payload.get("waitpointId")
    if not isinstance(written_id, str):
        raise InvalidRequest('"waitpointId" must be the id of a waitpoint')
    token_id = ids.parse(written_id)
    members = {name: json_text.dumps(value) for name, value in payload.items() if name != "waitpointId"}
    requested = completion.requested(members)
    result = requested if isinstance(requested, TokenError) else services.tokens.stored(token_id, requested)
    reception.complete(token_id, result, Origin(source=Source.COMPLETE))
    return {"success": True}
