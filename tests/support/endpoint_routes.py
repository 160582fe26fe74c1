"""Requests to the routes that manage endpoints."""

from typing import Any

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from tools.openapi import answers
from tools.openapi.operations import ENDPOINTS
from waitpoints.endpoint import Endpoint

GITHUB = f"{ENDPOINTS}/github"
SMALLEST = {"key": "body.workflow_run.id", "verify": "none"}
FULL = {
    "key": "body.workflow_run.id",
    "verify": {"scheme": "token", "secret": "shared", "header": "X-Token"},
    "completeWhen": "body.action == 'completed'",
    "output": "body.workflow_run",
    "keyTTL": "7d",
    "tag": "team-a",
}


def put(api: Api, body: Any, url: str = GITHUB) -> Any:
    answer = api.ask("PUT", url, body)
    answers.EndpointObject.model_validate(answer)
    return answer


def get(api: Api, url: str = GITHUB) -> Any:
    answer = api.ask("GET", url)
    answers.EndpointWithDeliveries.model_validate(answer)
    return answer


def stored(world: World, name: str = "github") -> Endpoint:
    endpoint = world.endpoints.get(name)
    assert endpoint is not None
    return endpoint
