"""POST /api/v1/endpoints/{name}/{hash}: complete the tokens whose keys a provider's deliveries name.

Providers may test the URL first, with any method: the handler answers such handshakes. Only a POST can settle a token.
The hash in the URL is the credential.
"""

from waitpoints.api.endpoints import endpoint_delivery
from waitpoints.api.http import PAYLOAD_LIMIT, Request, Response, http_handler
from waitpoints.api.providers import maybe_handshake
from waitpoints.endpoint import Endpoint
from waitpoints.errors import MethodNotAllowed, WrongCallbackHash
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.completions_by_key, s.urls, s.endpoint_cache, s.endpoint_tally, s.step_functions_client))


@http_handler("POST", "GET", "HEAD", "OPTIONS", allow=("POST",), api_key_required=False)
def handler(request: Request) -> Response:
    endpoint = find_endpoint(request)
    body = request.read_body(PAYLOAD_LIMIT)
    if answer := maybe_handshake.answer(request, body):
        return answer
    if request.method != "POST":
        raise MethodNotAllowed("POST")
    return endpoint_delivery.receive(request, endpoint, body)


def find_endpoint(request: Request) -> Endpoint:
    """Return the endpoint that the URL names. Raises WrongCallbackHash, also if the endpoint was deleted."""
    name = request.path["name"]
    secret_id = services.urls.check_endpoint(name, request.path["hash"])
    endpoint = services.endpoint_cache.find(name, secret_id)
    if endpoint is None:
        raise WrongCallbackHash
    return endpoint
