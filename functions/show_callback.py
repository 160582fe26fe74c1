"""GET /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}: show a person what the URL is for. It never settles a token.

Senders that test a URL by GET are answered here too. A request that does not accept HTML is 405.
"""

from waitpoints.api import handshake_signs, page_reception
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.errors import MethodNotAllowed, TokenNotFound, WrongCallbackHash
from waitpoints.wiring import services

services.build_at_start("tokens", "callback_urls", "brand")


@http_handler("GET", allow=("POST",))
def handler(request: Request) -> Response:
    is_person = page_reception.accepts_html(request)
    try:
        token_id = services.callback_urls.token_id(request.path["waitpointId"], request.path["hash"])
        if answer := handshake_signs.answer(request, b""):
            return answer
        if not is_person:
            raise MethodNotAllowed("POST")
        return page_reception.shown(request, token_id)
    except WrongCallbackHash:
        if not is_person:
            raise
        return page_reception.notice(request, 401)
    except TokenNotFound:
        return page_reception.notice(request, 404)
