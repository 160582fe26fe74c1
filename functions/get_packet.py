"""GET /api/v1/packets/{path+}: return a download link for an output that is too large for a response (contract R5).

The SDK calls this route when a token's `outputType` is `application/store`.
"""

import re

from waitpoints import ids
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.errors import OutputNotFound
from waitpoints.wiring import services

_NAME = re.compile(r"[0-9a-f]{16}\.json", re.ASCII)  # how `outputs` names an object

services.build_at_start(lambda s: (s.outputs, s.credentials, s.s3_client))


@http_handler("GET", scope="read")
def handler(request: Request) -> Response:
    token_id, _, name = request.path["path"].partition("/")
    if not _NAME.fullmatch(name):
        raise OutputNotFound
    token_id = ids.parse(token_id)
    if request.caller.only_tag("read") is not None:
        request.caller.check("read", services.tokens.find(token_id).tags)
    return Response({"presignedUrl": services.outputs.make_download_url(f"{token_id}/{name}")})
