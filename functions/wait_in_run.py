"""POST /engine/v1/runs/{run}/waitpoints/tokens/{waitpointId}/wait: what the SDK's `wait.forToken` calls.

The SDK manages the run and learns the outcome by retrieving the token. This route only checks that the token exists.
"""

from waitpoints import ids
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start("tokens", "credentials")


@http_handler("POST", scope="read")
def handler(request: Request) -> Response:
    token = services.tokens.find(ids.parse(request.path["waitpointId"]))
    request.caller.check("read", token.tags)
    return Response({"success": True})
