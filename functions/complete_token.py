"""POST /api/v1/waitpoints/tokens/{waitpointId}/complete: someone who may do it completes a token with data.

Open to browsers: a page completes a token with its public access token.
"""

from waitpoints import ids, json_text
from waitpoints.api.endpoint import PAYLOAD_LIMIT, Request, Response, endpoint
from waitpoints.errors import InvalidRequest
from waitpoints.wiring import services

services.build_at_start("tokens", "credentials", "step_functions_client")


@endpoint("POST", browsers=True)
def handler(request: Request) -> Response:
    written_id = request.path["waitpointId"]
    services.credentials.check_may_complete(request.authorization, written_id)
    services.tokens.complete(ids.parse(written_id), data(request.json_body(PAYLOAD_LIMIT)))
    return Response({"success": True})


def data(body: str) -> str | None:
    """The text of `data` in a completion's body; None when it is absent. Raises InvalidRequest."""
    try:
        members = json_text.members(body)
    except json_text.NotJson:
        raise InvalidRequest('Validation error: expected an object such as {"data": …}') from None
    if unknown := [name for name in members if name != "data"]:
        raise InvalidRequest(f'Validation error: unknown key {json_text.dumps(unknown[0])}; the output goes under "data"')
    return members.get("data")
