"""POST /api/v1/waitpoints/complete: complete the token of a key, or keep the completion for it."""

from waitpoints.api import complete_request
from waitpoints.api.callbacks import callback
from waitpoints.api.http import PAYLOAD_LIMIT, Request, Response, http_handler
from waitpoints.api.providers.completed_by import read_completed_by
from waitpoints.api.representation import key_completed
from waitpoints.token import Source
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.completions_by_key, s.credentials, s.step_functions_client))


@http_handler("POST", scope="complete")
def handler(request: Request) -> Response:
    members = request.read_members(PAYLOAD_LIMIT)
    key, result = complete_request.parse_by_key(members, services.now(), services.store.retention)
    request.caller.check_names("complete", "idempotencyKey", key.text)
    return Response(key_completed(callback.complete_by_key(key, result, read_completed_by(request, Source.COMPLETE))))
