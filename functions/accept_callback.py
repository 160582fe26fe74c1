"""POST /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}: a webhook completes the token of its URL."""

from waitpoints import aws, callback_body, ids
from waitpoints.errors import TokenNotFound, WrongCallbackHash
from waitpoints.http import PAYLOAD_LIMIT, Request, Response, endpoint

aws.build_at_start(aws.tokens, aws.callback_urls)


@endpoint("POST")
def handler(request: Request) -> Response:
    try:
        token_id = ids.token_id(request.path["waitpointId"])
    except TokenNotFound:
        raise WrongCallbackHash from None
    aws.callback_urls().check(token_id, request.path["hash"])
    aws.tokens().complete(token_id, callback_body.output(request.body(PAYLOAD_LIMIT)), source="Callback")
    return Response({"success": True})
