"""GET /api/v1/packets/{path+}: where to download an output that is too large for an answer (contract R5).

The SDK comes here by itself for a token whose `outputType` is `application/store`.
"""

import re

from waitpoints import ids
from waitpoints.api.endpoint import Request, Response, endpoint
from waitpoints.errors import OutputNotFound
from waitpoints.wiring import services

_NAME = re.compile(r"[0-9a-f]{16}\.json", re.ASCII)  # what `outputs` calls an object

services.build_at_start("outputs", "credentials", "s3_client")


@endpoint("GET")
def handler(request: Request) -> Response:
    services.credentials.check_api_key(request.authorization)
    token_id, _, name = request.path["path"].partition("/")
    if not _NAME.fullmatch(name):
        raise OutputNotFound
    return Response({"presignedUrl": services.outputs.download_url(f"{ids.parse(token_id)}/{name}")})
