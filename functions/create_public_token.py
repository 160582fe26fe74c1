"""POST /api/v1/auth/jwt: create a public access token for a caller that can't sign its own."""

from waitpoints.api.http import SMALL_LIMIT, Request, Response, http_handler
from waitpoints.api.public_token_request import lifetime
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.public_token import CREATE_PUBLIC_TOKEN_REQUEST
from waitpoints.wiring import services

services.build_at_start(lambda s: s.credentials)


@http_handler("POST")
def handler(request: Request) -> Response:
    wanted = validate(CREATE_PUBLIC_TOKEN_REQUEST, request.read_json(SMALL_LIMIT), ignore_unknown=request.from_sdk)
    seconds = lifetime(wanted.expiration_time, services.now())
    return Response({"token": services.credentials.sign_public_access_token(wanted.claims.scopes, seconds)})
