"""PUT /api/v1/endpoints/{name}: make an endpoint, or change the settings of an existing one. Its URL stays the same.

PATCH /api/v1/endpoints/{name}: disable an endpoint, or enable it. No setting changes.
"""

from waitpoints import telemetry
from waitpoints.api.callbacks import rules
from waitpoints.api.endpoints import settings as endpoint_settings
from waitpoints.api.endpoints.representation import configured
from waitpoints.api.http import SMALL_LIMIT, Request, Response, http_handler
from waitpoints.api.request_model import validate
from waitpoints.endpoint import Endpoint, is_name, new_secret_id
from waitpoints.errors import EndpointNotFound
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.endpoints, s.urls, s.credentials))


@http_handler("PUT", "PATCH", allow=("DELETE", "GET", "PATCH", "PUT"), scope="endpoints")
def handler(request: Request) -> Response:
    name = request.path["name"]
    endpoint = put(name, request) if request.method == "PUT" else change(name, request)
    telemetry.note(endpoint=name)
    return Response(configured(endpoint, services.urls.endpoint_url(name, endpoint.secret_id, request.api_url)))


def put(name: str, request: Request) -> Endpoint:
    endpoint_settings.check_name(name)
    wanted = endpoint_settings.parse(request.read_json(SMALL_LIMIT), services.retention)
    now = services.now()
    settings = {**dict(wanted), "verify": rules.check_verify(wanted.verify)}
    endpoint = Endpoint(name=name, secret_id=new_secret_id(), created_at=now, updated_at=now, **settings)
    if endpoint.is_recorded:
        services.deliveries.note_recording()
    return services.endpoints.put(endpoint)


def change(name: str, request: Request) -> Endpoint:
    """Disable or enable an endpoint. Raises EndpointNotFound."""
    from waitpoints.api.schemas.endpoint_change import CHANGE_ENDPOINT_REQUEST

    disabled = validate(CHANGE_ENDPOINT_REQUEST, request.read_json(SMALL_LIMIT)).disabled
    changed = services.endpoints.set_disabled(name, disabled, services.now()) if is_name(name) else None
    if changed is None:
        raise EndpointNotFound
    return changed
