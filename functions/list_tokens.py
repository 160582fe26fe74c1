"""GET /api/v1/waitpoints/tokens: return tokens, newest or oldest first."""

from waitpoints.access.caller import Caller
from waitpoints.api import list_query
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.api.representation import listed
from waitpoints.token import Token
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.urls, s.credentials))


@http_handler("GET", scope="read")
def handler(request: Request) -> Response:
    caller, urls = request.caller, services.urls
    query = list_query.parse(request.raw_query, services.now(), caller.only_tag("read"), ignore_unknown=request.from_sdk)
    found = services.tokens.list_tokens(query)
    pagination = {name: cursor for name, cursor in (("next", found.next), ("previous", found.previous)) if cursor}
    data = [listed(it, urls.url(it.id, request.api_url) if _has_url(caller, it) else "") for it in found.items]
    return Response({"data": data, "pagination": pagination})


def _has_url(caller: Caller, token: Token) -> bool:
    """The index says of a page that there is one, but not whom it asks."""
    return caller.may_have_url(token.tags, asks_people=token.listed_page is not None)
