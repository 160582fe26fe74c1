"""POST /api/v1/auth/jwt: a public access token, for callers that cannot sign one themselves."""

from waitpoints.api.endpoint import CREATE_LIMIT, Request, Response, endpoint
from waitpoints.api.models import CreatePublicTokenRequest, validated
from waitpoints.wiring import services

services.build_at_start("credentials")


@endpoint("POST")
def handler(request: Request) -> Response:
    services.credentials.check_api_key(request.authorization)
    wanted = validated(CreatePublicTokenRequest, request.json_value(CREATE_LIMIT), ignore_unknown=request.from_sdk)
    return Response({"token": services.credentials.public_access_token(wanted.scopes, wanted.lifetime(services.now()))})
