"""GET /api/v1/waitpoints/tokens: return a page of tokens, newest first."""

from waitpoints.api import list_query
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.api.representation import listed
from waitpoints.wiring import services

services.build_at_start("tokens", "callback_urls", "credentials")


@http_handler("GET")
def handler(request: Request) -> Response:
    services.credentials.check_api_key(request.authorization)
    page = services.tokens.list_page(list_query.parse(request.raw_query, services.now(), ignore_unknown=request.from_sdk))
    pagination = {name: cursor for name, cursor in (("next", page.next), ("previous", page.previous)) if cursor}
    data = [listed(token, services.callback_urls.url(token.id, request.api_url)) for token in page.tokens]
    return Response({"data": data, "pagination": pagination})
