"""GET /api/v1/waitpoints/tokens: return tokens, newest or oldest first."""

from waitpoints.api import list_query
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.api.representation import listed
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.urls, s.credentials))


@http_handler("GET", scope="read")
def handler(request: Request) -> Response:
    caller, urls = request.caller, services.urls
    query = list_query.parse(request.raw_query, services.now(), caller.only_tag("read"), ignore_unknown=request.from_sdk)
    found = services.tokens.list_tokens(query)
    pagination = {name: cursor for name, cursor in (("next", found.next), ("previous", found.previous)) if cursor}
    shown = [(it, urls.url(it.id, request.api_url) if caller.may("complete", it.tags) else "") for it in found.items]
    data = [listed(token, url) for token, url in shown]
    return Response({"data": data, "pagination": pagination})
