"""GET /api/v1/packets/{path+}: where to download an output that is too large for an answer (contract 1).

The SDK comes here by itself for a token whose `outputType` is `application/store`.
"""

import re

from waitpoints import aws, ids
from waitpoints.errors import TokenNotFound
from waitpoints.http import Request, Response, endpoint

_NAME = re.compile(r"[0-9a-f]{16}\.json", re.ASCII)  # what `outputs` calls an object

aws.build_at_start(aws.outputs, aws.credentials)


@endpoint("GET")
def handler(request: Request) -> Response:
    aws.credentials().check_api_key(request.authorization)
    token_id, _, name = request.path["path"].partition("/")
    if not _NAME.fullmatch(name):
        raise TokenNotFound
    return Response({"presignedUrl": aws.outputs().download_url(f"{ids.token_id(token_id)}/{name}")})
