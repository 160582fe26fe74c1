"""POST /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}: complete the token that the URL names."""

from waitpoints import ids
from waitpoints.api import callback_body
from waitpoints.api.endpoint import PAYLOAD_LIMIT, Request, Response, endpoint
from waitpoints.errors import TokenNotFound, WrongCallbackHash
from waitpoints.wiring import services

services.build_at_start("tokens", "callback_urls", "step_functions_client")


@endpoint("POST")
def handler(request: Request) -> Response:
    try:
        token_id = ids.parse(request.path["waitpointId"])
    except TokenNotFound:
        raise WrongCallbackHash from None
    services.callback_urls.check(token_id, request.path["hash"])
    services.tokens.complete(token_id, callback_body.output(request.body(PAYLOAD_LIMIT)), source="Callback")
    return Response({"success": True})
