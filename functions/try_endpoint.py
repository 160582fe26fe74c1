"""POST /api/v1/endpoints/{name}/test: say what would become of a delivery to an endpoint. Nothing changes."""

from waitpoints.api.endpoints import trial
from waitpoints.api.endpoints.trial_request import delivery
from waitpoints.api.http import PAYLOAD_LIMIT, Request, Response, http_handler
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.endpoint_trial import TRY_ENDPOINT_REQUEST
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.completions_by_key, s.urls, s.credentials))


@http_handler("POST", scope="endpoints")
def handler(request: Request) -> Response:
    sent = delivery(validate(TRY_ENDPOINT_REQUEST, request.read_json(PAYLOAD_LIMIT)), request)
    endpoint = services.endpoints.find(request.path["name"])
    return Response(trial.try_delivery(endpoint, sent, sent.read_body(PAYLOAD_LIMIT)))
