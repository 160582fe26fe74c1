"""POST /api/v1/auth/jwt: create a public access token for a caller that can't sign its own."""

from waitpoints.api.endpoint import CREATE_LIMIT, Request, Response, endpoint
from waitpoints.api.models import CreatePublicTokenRequest, validated
from waitpoints.wiring import services

services.build_at_start("credentials")


@endpoint("POST")
def handler(request: Request) -> Response:
    services.credentials.check_api_key(request.authorization)
    body = validated(CreatePublicTokenRequest, request.json_value(CREATE_LIMIT), ignore_unknown=request.from_sdk)
    return Response({"token": services.credentials.public_access_token(body.scopes, body.lifetime(services.now()))})
