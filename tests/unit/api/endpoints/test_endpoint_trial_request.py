"""A request to try an endpoint: a delivery as its provider would send it."""

import json

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, GITHUB, put, signature, steps, try_delivery
from tests.support.in_process.api_gateway import Api

pytestmark = pytest.mark.usefixtures("github")


class TestATrial:
    def test_verifies_a_signature(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, verify=GITHUB)
        assert steps(try_delivery(api, body=BODY, headers=signature(endpoint)))["signature"] == "verified"

    def test_can_only_verify_the_signature_of_a_text(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, verify=GITHUB)
        assert steps(try_delivery(api, body=json.loads(BODY), headers=signature(endpoint)))["signature"] == "refused"
