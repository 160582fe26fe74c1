"""POST /engine/v1/runs/{run}/waitpoints/tokens/{waitpointId}/wait: what the SDK's `wait.forToken` calls.

The run is the SDK's own; it learns the outcome by retrieving the token. This route only says that there is one.
"""

from waitpoints import aws, ids
from waitpoints.http import Request, Response, endpoint

aws.build_at_start(aws.tokens, aws.credentials)


@endpoint("POST")
def handler(request: Request) -> Response:
    aws.credentials().check_api_key(request.authorization)
    aws.tokens().check_exists(ids.token_id(request.path["waitpointId"]))
    return Response({"success": True})
