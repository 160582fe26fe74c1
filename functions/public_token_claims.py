"""POST /api/v1/auth/jwt/claims: return the claims that the SDK's `auth.createPublicToken` signs."""

from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start("credentials")


@http_handler("POST")
def handler(request: Request) -> Response:
    services.credentials.check_api_key(request.authorization)
    return Response(services.credentials.claims)
