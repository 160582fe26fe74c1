"""POST /api/v1/waitpoints/tokens/{waitpointId}/complete: complete a token with data.

Open to browsers: a page completes a token with its public access token.
"""

from waitpoints import ids
from waitpoints.api.endpoint import PAYLOAD_LIMIT, Request, Response, endpoint
from waitpoints.known_names import refuse_unknown
from waitpoints.wiring import services

services.build_at_start("tokens", "credentials", "step_functions_client")


@endpoint("POST", browsers=True)
def handler(request: Request) -> Response:
    written_id = request.path["waitpointId"]
    services.credentials.check_may_complete(request.authorization, written_id)
    services.tokens.complete(ids.parse(written_id), data(request))
    return Response({"success": True})


def data(request: Request) -> str | None:
    """The text of `data` in the body; None when it is absent. Raises InvalidRequest.

    A newer SDK may send more beside `data`. Without `data` an unknown field is always refused: a completion is final.
    """
    members = request.json_members(PAYLOAD_LIMIT)
    if not (request.from_sdk and "data" in members):
        refuse_unknown(members, ["data"])
    return members.get("data")
