"""PATCH /api/v1/waitpoints/tokens/{waitpointId}: give a waiting token another timeout, or none."""

from waitpoints import ids, telemetry
from waitpoints.api import deadline_request
from waitpoints.api.http import SMALL_LIMIT, Request, Response, http_handler
from waitpoints.api.representation import deadline_moved
from waitpoints.errors import TokenHasEnded
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.timers, s.credentials))


@http_handler("PATCH", allow=("GET", "PATCH"), scope="create")
def handler(request: Request) -> Response:
    token_id = ids.parse(request.path["waitpointId"])
    telemetry.note(tokenId=token_id)
    timeout_at = deadline_request.parse(request.read_json(SMALL_LIMIT), services.now(), services.timeout_limits)
    if not services.timers.move_deadline(token_id, timeout_at, request.caller):
        raise TokenHasEnded
    return Response(deadline_moved(token_id, timeout_at))
