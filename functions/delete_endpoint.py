"""DELETE /api/v1/endpoints/{name}: delete an endpoint.

Its URL is refused within a minute, at once if it had no `verify`, and never becomes valid again.
"""

from waitpoints import telemetry
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.endpoint import is_name
from waitpoints.errors import EndpointNotFound
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.endpoints, s.credentials))


@http_handler("DELETE", scope="endpoints")
def handler(request: Request) -> Response:
    name = request.path["name"]
    if not (is_name(name) and services.endpoints.delete(name)):
        raise EndpointNotFound
    telemetry.note(endpoint=name)
    return Response({"success": True})
