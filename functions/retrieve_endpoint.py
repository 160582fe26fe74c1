"""GET /api/v1/endpoints/{name}: return one endpoint, with what became of its deliveries."""

from waitpoints.api.endpoints.representation import with_deliveries
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.endpoints, s.urls, s.credentials))


@http_handler("GET", scope="endpoints")
def handler(request: Request) -> Response:
    endpoint = services.endpoints.find(request.path["name"])
    url = services.urls.endpoint_url(endpoint.name, endpoint.secret_id, request.api_url)
    return Response(with_deliveries(endpoint, url, services.endpoints.read_statistics(endpoint.secret_id)))
