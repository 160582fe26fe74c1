"""GET /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}: show a person what the URL is for. It never settles a token.

Providers that test a URL by GET are answered here too. A request that does not accept HTML is 405.
The hash in the URL is the credential.
"""

from waitpoints.api.http import Request, Response, http_handler
from waitpoints.api.page import render, visit
from waitpoints.api.providers import maybe_handshake
from waitpoints.errors import MethodNotAllowed
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.urls, s.brand))


@http_handler("GET", allow=("POST",), api_key_required=False, for_person=render.show_refusal)
def handler(request: Request) -> Response:
    token_id, approver = services.urls.check_token(request.path["waitpointId"], request.path["hash"], request.raw_query)
    if answer := maybe_handshake.answer(request, b""):
        return answer
    if not request.is_of_person:
        raise MethodNotAllowed("POST")
    token = services.tokens.retrieve(token_id)
    if approver is not None or (token.rules and token.rules.has_sign_in):
        return visit.show_to_approver(request, token, approver)
    return visit.show(request, token)
