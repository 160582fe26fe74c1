"""POST /api/v1/auth/jwt/claims: return the claims that the SDK's `auth.createPublicToken` signs."""

from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: s.credentials)


@http_handler("POST")
def handler(_: Request) -> Response:
    return Response(services.credentials.claims())
