"""DELETE /api/v1/waitpoints/tokens/{waitpointId}: delete a settled token, or with `force=true` any one."""

import time
from dataclasses import replace
from urllib.parse import parse_qsl

from waitpoints import ids, telemetry
from waitpoints.api.endpoints import representation, token_deletion
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.api.providers.completed_by import read_completed_by
from waitpoints.errors import InvalidRequest
from waitpoints.token import Source
from waitpoints.unknown_names import refuse_unknown
from waitpoints.wiring import services

SECONDS = 20  # for one request. API Gateway waits for 30

services.build_at_start(lambda s: (s.tokens, s.credentials, s.s3_client))


@http_handler("DELETE", allow=("DELETE", "GET", "PATCH"), scope="delete")
def handler(request: Request) -> Response:
    until = time.monotonic() + SECONDS
    token_id, force = ids.parse(request.path["waitpointId"]), is_forced(request.raw_query)
    telemetry.note(tokenId=token_id)
    by = replace(read_completed_by(request, Source.COMPLETE), key=request.caller.name)
    kept = token_deletion.delete(token_id, request.caller, by, lambda: time.monotonic() < until, force=force)
    shown = {"keptDelivery": representation.recorded(kept[1], kept[0].name)} if kept else {}
    return Response({"success": True, **shown})


def is_forced(raw_query: str) -> bool:
    parameters = dict(parse_qsl(raw_query, keep_blank_values=True))
    refuse_unknown(parameters, ("force",), "parameter")
    if parameters.get("force", "") not in ("", "true", "false"):
        raise InvalidRequest("Query Error: force must be true or false")
    return parameters.get("force") == "true"
