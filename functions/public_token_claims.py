"""POST /api/v1/auth/jwt/claims: return the claims that the SDK's `auth.createPublicToken` signs."""

from waitpoints.api.endpoint import Request, Response, endpoint
from waitpoints.wiring import services

services.build_at_start("credentials")


@endpoint("POST")
def handler(request: Request) -> Response:
    services.credentials.check_api_key(request.authorization)
    return Response(services.credentials.claims)
