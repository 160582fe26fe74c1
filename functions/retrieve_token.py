"""GET /api/v1/waitpoints/tokens/{waitpointId}: return one token, with its output once it has one."""

from waitpoints import ids
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.api.representation import retrieved
from waitpoints.wiring import services

services.build_at_start("tokens", "urls", "credentials")


@http_handler("GET")
def handler(request: Request) -> Response:
    token = services.tokens.retrieve(ids.parse(request.path["waitpointId"]))
    return Response(retrieved(token, services.urls.url(token.id, request.api_url)))
