"""GET /api/v1/waitpoints/tokens/{waitpointId}: return one token, with its output once it has one."""

from functools import partial

from waitpoints import ids, json_text
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.api.representation import retrieved
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.urls, s.credentials))


@http_handler("GET", allow=("DELETE", "GET", "PATCH"), scope="read")
def handler(request: Request) -> Response:
    token, urls, caller = services.tokens.retrieve(ids.parse(request.path["waitpointId"])), services.urls, request.caller
    caller.check("read", token.tags)
    if caller.may_have_url(token.tags, asks_people=token.asks_people):
        link_of = partial(urls.url, token.id, request.api_url)
        shown = retrieved(token, link_of(), link_of)
    else:
        shown = retrieved(token, "", None)
    if token.metadata is None:
        return Response(shown)
    text = json_text.object_of({**json_text.texts(shown), "metadata": token.metadata})  # as it was sent, with every digit
    return Response(text, headers={"content-type": "application/json; charset=utf-8"})
