"""GET /api/v1/endpoints/{name}/deliveries/{deliveryId}: return a recorded delivery, with what was sent."""

from waitpoints.api.endpoints.recorded import find_delivery, find_endpoint
from waitpoints.api.endpoints.representation import with_contents
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.endpoints, s.deliveries, s.credentials, s.s3_client))


@http_handler("GET", allow=("DELETE", "GET"), scope="deliveries")
def handler(request: Request) -> Response:
    endpoint = find_endpoint(request)
    delivery = find_delivery(endpoint, request.path["deliveryId"])
    return Response(with_contents(delivery, endpoint.name, services.deliveries.contents(endpoint.secret_id, delivery.id)))
