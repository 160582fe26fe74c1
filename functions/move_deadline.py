"""PATCH /api/v1/waitpoints/tokens/{waitpointId}: give a waiting token another timeout, or none, or hand its page over."""

from functools import partial

from waitpoints import ids, telemetry
from waitpoints.api import deadline_request
from waitpoints.api.deadline_request import NewDeadline
from waitpoints.api.http import SMALL_LIMIT, Request, Response, http_handler
from waitpoints.api.representation import deadline_moved, handed_over
from waitpoints.errors import TokenHasEnded
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.timers, s.credentials))


@http_handler("PATCH", allow=("DELETE", "GET", "PATCH"), scope="create")
def handler(request: Request) -> Response:
    token_id = ids.parse(request.path["waitpointId"])
    telemetry.note(tokenId=token_id)
    wanted = deadline_request.parse(request.read_json(SMALL_LIMIT), services.now(), services.timeout_limits)
    if isinstance(wanted, NewDeadline):
        if not services.timers.move_deadline(token_id, wanted.timeout_at, request.caller):
            raise TokenHasEnded
        return Response(deadline_moved(token_id, wanted.timeout_at))
    token = services.hand_overs.hand_over(token_id, partial(wanted.of, key=request.caller.name), request.caller)
    link_of = partial(services.urls.url, token_id, request.api_url)
    return Response(handed_over(token, wanted.add, None if request.caller.is_person else link_of))
