"""GET /api/v1/endpoints/{name}/deliveries: return an endpoint's recorded deliveries, the newest first."""

from waitpoints.api.endpoints import deliveries_query
from waitpoints.api.endpoints.recorded import find_endpoint
from waitpoints.api.endpoints.representation import recorded
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.listing import Listed, read_slice
from waitpoints.recorded_delivery import PREFIX
from waitpoints.wiring import services

LISTED = Listed(PREFIX, (25, 200))  # of each of the sixteen shards

services.build_at_start(lambda s: (s.endpoints, s.deliveries, s.credentials))


@http_handler("GET", allow=("DELETE", "GET"), scope="deliveries")
def handler(request: Request) -> Response:
    now = services.now()
    query = deliveries_query.parse(request.raw_query, now)
    endpoint = find_endpoint(request)
    found = read_slice(services.deliveries.partitions(endpoint.secret_id, query.filter, now), query, LISTED)
    data = [recorded(delivery, endpoint.name) for delivery in found.items]
    return Response({"data": data, "pagination": {"next": found.next} if found.next else {}})
