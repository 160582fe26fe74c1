"""POST /api/v1/waitpoints/tokens/{waitpointId}/complete: complete a token with data.

Browsers may call it: a web page completes a token with the token's public access token.
"""

from waitpoints import ids
from waitpoints.api.endpoint import PAYLOAD_LIMIT, Request, Response, endpoint
from waitpoints.known_names import refuse_unknown
from waitpoints.wiring import services

FIELDS = ("data",)

services.build_at_start("tokens", "credentials", "step_functions_client")


@endpoint("POST", browsers=True)
def handler(request: Request) -> Response:
    token_id = request.path["waitpointId"]
    services.credentials.check_may_complete(request.authorization, token_id)
    services.tokens.complete(ids.parse(token_id), data(request))
    return Response({"success": True})


def data(request: Request) -> str | None:
    """Return the JSON text of `data` in the body, or None if it is absent. Raises InvalidRequest.

    A newer SDK may send further fields beside `data`. Without `data`, reject any unknown field: a typo must not complete
    the token without its output, because a completion is final.
    """
    members = request.json_members(PAYLOAD_LIMIT)
    if not (request.from_sdk and "data" in members):
        refuse_unknown(members, FIELDS)
    return members.get("data")
