"""DELETE /api/v1/keys/{name}: revoke a named key. It is refused everywhere within a minute."""

from waitpoints import telemetry
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.errors import KeyNotFound
from waitpoints.named_keys import is_name
from waitpoints.wiring import services

services.build_at_start("key_store", "credentials")


@http_handler("DELETE")
def handler(request: Request) -> Response:
    name = request.path["name"]
    if not (is_name(name) and services.key_store.remove(name)):
        raise KeyNotFound
    telemetry.note(revokedKey=name)
    return Response({"success": True})
