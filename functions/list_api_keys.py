"""GET /api/v1/keys: return the named keys by name, without the keys themselves."""

from operator import attrgetter

from waitpoints.api import representation
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.api_key_store, s.credentials))


@http_handler("GET", allow=("GET", "POST"))
def handler(_: Request) -> Response:
    keys, used = services.api_key_store.read(), services.api_key_store.read_used()
    return Response(
        {"data": [representation.api_key(key, used.get(key.digest)) for key in sorted(keys, key=attrgetter("name"))]}
    )
