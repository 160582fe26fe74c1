"""DELETE /api/v1/endpoints/{name}/deliveries: delete recorded deliveries, as many as time allows. Repeat it until it is done.

DELETE /api/v1/endpoints/{name}/deliveries/{deliveryId}: delete a recorded delivery and its resends.
"""

import time

from waitpoints import telemetry
from waitpoints.api.endpoints import deletion
from waitpoints.api.endpoints.recorded import find_delivery, find_endpoint
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

SECONDS = 20  # for one request. API Gateway waits for 30

services.build_at_start(lambda s: (s.endpoints, s.deliveries, s.completions_by_key, s.credentials, s.s3_client))


@http_handler("DELETE", allow=("DELETE", "GET"), scope="deliveries")
def handler(request: Request) -> Response:
    def has_time() -> bool:
        return time.monotonic() < until

    until = time.monotonic() + SECONDS
    endpoint = find_endpoint(request)
    if "deliveryId" in request.path:
        delivery = find_delivery(endpoint, request.path["deliveryId"])
        telemetry.note(record=delivery.id)
        deletion.delete(endpoint, delivery, has_time)
        return Response({"success": True})
    deleted, done = deletion.delete_all(endpoint, has_time)
    telemetry.note(deleted=deleted, done=done)
    return Response({"deleted": deleted, "done": done})
