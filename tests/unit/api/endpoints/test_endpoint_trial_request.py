"""A request to try an endpoint: a delivery as its provider would send it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, GITHUB, put, signature
from tests.support.in_process.api_gateway import Api

pytestmark = pytest.mark.usefixtures("github")


class TestATrial:
    def try_delivery(self, api: Api, **sent: Any) -> dict[str, Any]:
        answer = api.post("/api/v1/endpoints/github/test", sent)
        assert answer.status == 200
        shown: dict[str, Any] = answer.json
        return shown

    def steps(self, trial: Mapping[str, Any]) -> dict[str, str]:
        return {step["step"]: step["result"] for step in trial["steps"]}

    def test_verifies_a_signature(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, verify=GITHUB)
        assert self.steps(self.try_delivery(api, body=BODY, headers=signature(endpoint)))["signature"] == "verified"

    def test_can_only_verify_the_signature_of_a_text(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, verify=GITHUB)
        assert self.steps(self.try_delivery(api, body=json.loads(BODY), headers=signature(endpoint)))["signature"] == "refused"
