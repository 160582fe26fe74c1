"""POST /api/v1/auth/public-tokens: create a public access token within the scopes of the caller's key.

The SDK asks for it if its key is a named key, which cannot sign one.
"""

from waitpoints.api.http import SMALL_LIMIT, Request, Response, http_handler
from waitpoints.api.public_token_request import check_within, lifetime
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.public_token import MINT_PUBLIC_TOKEN_REQUEST
from waitpoints.wiring import services

services.build_at_start(lambda s: s.credentials)


@http_handler("POST", scope="complete")
def handler(request: Request) -> Response:
    wanted = validate(MINT_PUBLIC_TOKEN_REQUEST, request.read_json(SMALL_LIMIT), ignore_unknown=request.from_sdk)
    check_within(request.caller, wanted.scopes)
    seconds = lifetime(wanted.expiration_time, services.now())
    token = services.credentials.sign_public_access_token(wanted.scopes, seconds, request.caller)
    return Response({"token": token})
