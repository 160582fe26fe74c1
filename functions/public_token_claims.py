"""POST /api/v1/auth/jwt/claims: the claims with which the SDK's `auth.createPublicToken` signs a token itself."""

from waitpoints import aws
from waitpoints.http import Request, Response, endpoint

aws.build_at_start(aws.credentials)


@endpoint("POST")
def handler(request: Request) -> Response:
    aws.credentials().check_api_key(request.authorization)
    return Response(aws.credentials().claims)
