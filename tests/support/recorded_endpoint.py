"""An endpoint on moto that records its deliveries, and what GitHub would send to it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.moto_stack import client_of
from tests.support.webhook_signer import sign
from tools.openapi.operations import ENDPOINTS
from waitpoints.endpoint import Endpoint
from waitpoints.wiring import services

NAME = "recorded"
SECRET = "the secret of a provider"


@contextmanager
def recording_endpoint(api: Api) -> Iterator[Endpoint]:
    secrets = client_of("secretsmanager")
    made = secrets.create_secret(Name=services.webhook_secret_name(NAME), SecretString=SECRET)
    api.put_endpoint(NAME, verify={"scheme": "github", "secret": NAME}, recordDeliveries="7d")
    found = services.endpoints.get(NAME)
    assert found is not None
    try:
        yield found
    finally:
        api.request("DELETE", f"{ENDPOINTS}/{NAME}")
        secrets.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)


def deliver(api: Api, endpoint: Endpoint, body: Any, event_id: str) -> HttpAnswer:
    url, content = services.urls.endpoint_url(endpoint.name, endpoint.secret_id, ""), json.dumps(body).encode()
    headers = {"content-type": "application/json", "x-github-delivery": event_id}
    return api.post(url, content, {**headers, **sign("github", content, url, 0, SECRET).headers})
