"""POST /api/v1/keys: make a named key. It is shown in this answer, and never again."""

from waitpoints import telemetry
from waitpoints.access.api_keys import digest, new_key
from waitpoints.api import api_key_request, representation
from waitpoints.api.http import SMALL_LIMIT, Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.api_key_store, s.credentials))


@http_handler("POST", allow=("GET", "POST"))
def handler(request: Request) -> Response:
    now = services.now()
    key = new_key()
    made = api_key_request.parse(request.read_json(SMALL_LIMIT), digest(key), now)
    services.api_key_store.add(made, now)
    telemetry.note(createdApiKey=made.name)
    return Response({**representation.api_key(made), "key": key})
