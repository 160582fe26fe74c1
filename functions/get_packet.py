"""GET /api/v1/packets/{path+}: where to download an output that is too large for an answer (contract 1).

The SDK comes here by itself for a token whose `outputType` is `application/store`.
"""

from waitpoints import aws
from waitpoints.http import Request, Response, endpoint

aws.build_at_start(aws.outputs, aws.credentials)


@endpoint("GET")
def handler(request: Request) -> Response:
    aws.credentials().check_api_key(request.authorization)
    return Response({"presignedUrl": aws.outputs().download_url(request.path["path"])})
