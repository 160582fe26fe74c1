"""POST /api/v1/keys: make a named key. It is shown in this answer, and never again."""

from waitpoints import telemetry
from waitpoints.api import key_request
from waitpoints.api.http import KEY_LIMIT, Request, Response, http_handler
from waitpoints.api.key_representation import listed
from waitpoints.named_keys import digest, new_key
from waitpoints.wiring import services

services.build_at_start("key_store", "credentials")


@http_handler("POST", allow=("GET", "POST"))
def handler(request: Request) -> Response:
    now = services.now()
    key = new_key()
    made = key_request.parse(request.read_json(KEY_LIMIT), digest(key), now)
    services.key_store.add(made, now)
    telemetry.note(madeKey=made.name)
    return Response({**listed(made), "key": key})
