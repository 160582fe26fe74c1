"""PATCH disables an endpoint, or enables it."""

from typing import Any

import pytest

from tests.support.endpoint_routes import FULL, GITHUB, SMALLEST, get, put
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.fakes.secret import FakeSecret
from tools.openapi import answers
from tools.openapi.operations import ENDPOINTS
from waitpoints.token import iso


@pytest.fixture(autouse=True)
def secret(world: InMemory) -> None:
    world.webhook_secrets["shared"] = FakeSecret("the-secret-that-the-provider-repeats")


class TestPatch:
    def change(self, api: Api, body: Any, url: str = GITHUB) -> HttpAnswer:
        return api.request("PATCH", url, body)

    def test_disables_and_enables_and_keeps_the_url_and_every_setting(self, api: Api, world: InMemory) -> None:
        made = put(api, FULL)
        world.clock.advance(5)
        for disabled in (True, True, False, False):
            answer = self.change(api, {"disabled": disabled})
            answers.EndpointObject.model_validate(answer.json)
            expected = {**made, "updatedAt": iso(world.clock()), **({"disabled": True} if disabled else {})}
            assert (answer.status, answer.json) == (200, expected)
            assert {**get(api), "deliveries": None} == {**expected, "deliveries": None}
            assert api.get(ENDPOINTS).json["data"] == [expected]

    def test_outlasts_a_put_but_no_deletion(self, api: Api) -> None:
        put(api, SMALLEST)
        self.change(api, {"disabled": True})
        assert put(api, FULL)["disabled"] is True
        api.request("DELETE", GITHUB)
        assert "disabled" not in put(api, FULL)

    @pytest.mark.parametrize("name", ["github", "GitHub", "x" * 5_000, "%2F"])
    def test_of_an_unknown_or_impossible_name_is_404_and_makes_nothing(self, api: Api, name: str) -> None:
        answer = self.change(api, {"disabled": True}, f"{ENDPOINTS}/{name}")
        assert (answer.status, answer.error) == (404, "Endpoint not found")
        assert api.get(ENDPOINTS).json["data"] == []

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, '"disabled" is required'),
            ({"disabled": "true"}, 'expected true or false at "disabled"'),
            ({"disabled": None}, 'expected true or false at "disabled"'),
            ({"disable": True}, 'did you mean "disabled"?'),
            ({"disabled": True, "key": "body.id"}, '"key"'),
            ("", "empty"),
        ],
    )
    def test_with_another_body_is_400_and_changes_nothing(self, api: Api, body: Any, message: str) -> None:
        made = put(api, SMALLEST)
        answer = self.change(api, body)
        assert answer.status == 400
        assert message in answer.error
        assert {**get(api), "deliveries": None} == {**made, "deliveries": None}
