"""DELETE /api/v1/keys/{name}: revoke a named key. It is refused everywhere within a minute."""

from waitpoints import telemetry
from waitpoints.access.api_keys import is_name
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.errors import ApiKeyNotFound
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.api_key_store, s.credentials))


@http_handler("DELETE")
def handler(request: Request) -> Response:
    name = request.path["name"]
    if not (is_name(name) and services.api_key_store.remove(name)):
        raise ApiKeyNotFound
    telemetry.note(revokedApiKey=name)
    return Response({"success": True})
