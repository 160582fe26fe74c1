"""POST /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}: complete a token by its callback URL.

Providers may test the URL first, with any method: the handler answers such handshakes. Only a POST can settle the token.
The hash in the URL is the credential.
"""

from waitpoints.api.callbacks import callback
from waitpoints.api.http import PAYLOAD_LIMIT, Request, Response, http_handler
from waitpoints.api.providers import maybe_handshake
from waitpoints.errors import MethodNotAllowed
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.urls, s.step_functions_client))


def _show_refusal(request: Request, refusal: Response) -> Response:
    from waitpoints.api.page import render

    return render.show_refusal(request, refusal)


@http_handler("POST", "GET", "HEAD", "OPTIONS", allow=("POST",), api_key_required=False, for_person=_show_refusal)
def handler(request: Request) -> Response:
    token_id, approver = services.urls.check_token(request.path["waitpointId"], request.path["hash"], request.raw_query)
    body = request.read_body(PAYLOAD_LIMIT)
    if answer := maybe_handshake.answer(request, body):
        return answer
    if request.method != "POST":
        raise MethodNotAllowed("POST")
    if approver is None:
        return callback.receive(request, token_id, body)
    from waitpoints.api.page import visit

    return visit.receive_of_approver(request, token_id, approver, body)
