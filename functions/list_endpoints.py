"""GET /api/v1/endpoints: return endpoints by name."""

from waitpoints.api import list_query
from waitpoints.api.endpoints.representation import configured
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.endpoints, s.urls, s.credentials))


@http_handler("GET", scope="endpoints")
def handler(request: Request) -> Response:
    size, after = list_query.parse_endpoints(request.raw_query)
    found, next_after = services.endpoints.list_endpoints(after, size)
    urls = services.urls
    data = [configured(it, urls.endpoint_url(it.name, it.secret_id, request.api_url)) for it in found]
    return Response({"data": data, "pagination": {"next": next_after} if next_after else {}})
