"""What GitHub would send to the endpoint of the integration tests that records its deliveries."""

import json
from typing import Any

from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.webhook_signer import sign
from waitpoints.endpoint import Endpoint
from waitpoints.wiring import services

NAME = "recorded"
SECRET = "the secret of a provider"


def deliver(api: Api, endpoint: Endpoint, body: Any, event_id: str) -> HttpAnswer:
    url, content = services.urls.endpoint_url(endpoint.name, endpoint.secret_id, ""), json.dumps(body).encode()
    headers = {"content-type": "application/json", "x-github-delivery": event_id}
    return api.post(url, content, {**headers, **sign("github", content, url, 0, SECRET).headers})
