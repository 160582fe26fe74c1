"""POST /api/v1/endpoints/{name}/deliveries/{deliveryId}/resend: send a recorded delivery again, by its key or to a token."""

from waitpoints.api.endpoints import recorded, representation, resend_request, resending
from waitpoints.api.http import CREATE_LIMIT, Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(
    lambda s: (s.completions_by_key, s.endpoints, s.deliveries, s.credentials, s.s3_client, s.step_functions_client)
)


@http_handler("POST", scope="deliveries")
def handler(request: Request) -> Response:
    request.caller.require("complete")
    wanted = resend_request.parse(request.read_json(CREATE_LIMIT, optional=True))
    endpoint = recorded.find_endpoint(request)
    original = recorded.find_delivery(endpoint, request.path["deliveryId"])
    return Response(representation.recorded(resending.resend(endpoint, original, wanted, request), endpoint.name))
