"""GET /api/v1/waitpoints/tokens: return tokens, newest or oldest first."""

from waitpoints.api import list_query
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.api.representation import listed
from waitpoints.wiring import services

services.build_at_start("tokens", "urls", "credentials")


@http_handler("GET", scope="read")
def handler(request: Request) -> Response:
    found = services.tokens.list_tokens(list_query.parse(request.raw_query, services.now(), ignore_unknown=request.from_sdk))
    pagination = {name: cursor for name, cursor in (("next", found.next), ("previous", found.previous)) if cursor}
    data = [listed(token, services.urls.url(token.id, request.api_url)) for token in found.tokens]
    return Response({"data": data, "pagination": pagination})
