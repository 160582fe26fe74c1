"""Invoked by a state machine: complete a token, or the token of a key, with data, or fail it with an error.

The payload is that of the HTTP routes: `{"waitpointId": …}` or `{"idempotencyKey": …}`, with `"data"` or `"error"`.
"""

from typing import Any

from waitpoints import ids, json_text
from waitpoints.api import complete_request
from waitpoints.api.callbacks import callback
from waitpoints.api.representation import completed, key_completed
from waitpoints.errors import InvalidRequest
from waitpoints.state_task import state_task
from waitpoints.token import CompletedBy, Source
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.step_functions_client))


@state_task
def handler(payload: dict[str, Any]) -> dict[str, Any]:
    return _complete_by_key(payload) if "idempotencyKey" in payload else _complete_token(payload)


def _complete_token(payload: dict[str, Any]) -> dict[str, Any]:
    written_id = payload.get("waitpointId")
    if not isinstance(written_id, str):
        raise InvalidRequest('"waitpointId" must be the id of a waitpoint, unless there is an "idempotencyKey"')
    token_id = ids.parse(written_id)
    members = {name: json_text.dumps(value) for name, value in payload.items() if name != "waitpointId"}
    return completed(callback.complete(token_id, complete_request.parse(members), CompletedBy(source=Source.COMPLETE)))


def _complete_by_key(payload: dict[str, Any]) -> dict[str, Any]:
    members = {name: json_text.dumps(value) for name, value in payload.items()}
    key, result = complete_request.parse_by_key(members, services.now(), services.store.retention)
    return key_completed(callback.complete_by_key(key, result, CompletedBy(source=Source.COMPLETE)))
