"""GET /api/v1/waitpoints/tokens/{waitpointId}: one token, with its output once it has one."""

from waitpoints import aws, ids
from waitpoints.http import Request, Response, endpoint
from waitpoints.representation import retrieved

aws.build_at_start(aws.tokens, aws.callback_urls, aws.credentials)


@endpoint("GET")
def handler(request: Request) -> Response:
    aws.credentials().check_api_key(request.authorization)
    token = aws.tokens().retrieve(ids.token_id(request.path["waitpointId"]))
    return Response(retrieved(token, aws.callback_urls().url(token.id)))
