"""An endpoint for GitHub, and deliveries to it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.webhook_signer import sign
from waitpoints.endpoint import Endpoint, EndpointStatistics, new_secret_id
from waitpoints.token import (
    IdempotencyKey,
    NewToken,
    Verification,
)
from waitpoints.wiring import services

GITHUB = Verification("github", "github")
SECRET = "the-secret-of-github"
BODY = '{"action": "completed", "workflow_run": {"id": 123456, "seconds": 1.50}}'
KEY = "github:123456"


def put(world: InMemory, **settings: Any) -> Endpoint:
    now = world.clock()
    endpoint = Endpoint(
        name="github",
        secret_id=new_secret_id(),
        key="body.workflow_run.id",
        verify=None,
        complete_when="body.action == 'completed'",
        created_at=now,
        updated_at=now,
    )
    return world.endpoints.put(replace(endpoint, **settings))


def url_of(endpoint: Endpoint) -> str:
    return services.urls.endpoint_url(endpoint.name, endpoint.secret_id, "")


def deliver(api: Api, endpoint: Endpoint, body: Any = BODY, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    return api.post(url_of(endpoint), body, {"content-type": "application/json", **(headers or {})})


def try_delivery(api: Api, **sent: Any) -> dict[str, Any]:
    """What a test of the endpoint says would become of a delivery."""
    answer = api.post("/api/v1/endpoints/github/test", sent)
    assert answer.status == 200
    return dict(answer.json)


def steps(trial: Mapping[str, Any]) -> dict[str, str]:
    return {step["step"]: step["result"] for step in trial["steps"]}


def create(world: InMemory, **asked: Any) -> str:
    return world.tokens.create(NewToken(key=IdempotencyKey(KEY), **asked), world.clock()).token_id


def signature(endpoint: Endpoint) -> dict[str, str]:
    return sign("github", BODY.encode(), url_of(endpoint), 0, SECRET).headers


def counted(world: InMemory, endpoint: Endpoint) -> dict[str, int]:
    return {str(kind): count for kind, count in world.endpoints.read_statistics(endpoint.secret_id).counts.items()}


def statistics(world: InMemory, endpoint: Endpoint) -> EndpointStatistics:
    return world.endpoints.read_statistics(endpoint.secret_id)
