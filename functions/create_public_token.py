"""POST /api/v1/auth/jwt: a public access token, for callers that cannot sign one themselves."""

from waitpoints import aws
from waitpoints.api_models import CreatePublicTokenRequest, validated
from waitpoints.http import CREATE_LIMIT, Request, Response, endpoint

aws.build_at_start(aws.credentials)


@endpoint("POST")
def handler(request: Request) -> Response:
    aws.credentials().check_api_key(request.authorization)
    wanted = validated(CreatePublicTokenRequest, request.json_value(CREATE_LIMIT))
    return Response({"token": aws.credentials().public_access_token(wanted.scopes, wanted.lifetime(aws.now()))})
