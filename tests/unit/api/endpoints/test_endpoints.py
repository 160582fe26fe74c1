"""Endpoints are listed and deleted, and their secrets are in no answer and no log."""

import io
from typing import Any

import pytest

from tests.support.endpoint_routes import FULL, GITHUB, SMALLEST, put
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.fakes.secret import FakeSecret
from tools.openapi import answers
from tools.openapi.operations import ENDPOINTS
from waitpoints import telemetry


@pytest.fixture(autouse=True)
def secret(world: InMemory) -> None:
    world.webhook_secrets["shared"] = FakeSecret("the-secret-that-the-provider-repeats")


class TestDelete:
    def delete(self, api: Api, name: str = "github") -> HttpAnswer:
        return api.request("DELETE", f"{ENDPOINTS}/{name}")

    def test_removes_the_endpoint(self, api: Api) -> None:
        put(api, SMALLEST)
        assert self.delete(api).json == {"success": True}
        assert api.get(GITHUB).status == 404
        assert api.get(ENDPOINTS).json["data"] == []

    @pytest.mark.parametrize("name", ["github", "GitHub", "x" * 5_000, "%2F"])
    def test_of_an_unknown_or_impossible_name_is_404(self, api: Api, name: str) -> None:
        answer = self.delete(api, name)
        assert (answer.status, answer.error) == (404, "Endpoint not found")


class TestList:
    @pytest.fixture
    def made(self, api: Api) -> list[Any]:
        return [put(api, SMALLEST, f"{ENDPOINTS}/{name}") for name in ("a", "b", "c", "d", "e")]

    def listed(self, api: Api, query: str = "") -> Any:
        answer = api.get(f"{ENDPOINTS}?{query}")
        assert answer.status == 200, answer.text
        answers.ListEndpointsResult.model_validate(answer.json)
        return answer.json

    def test_of_no_endpoints_is_empty(self, api: Api) -> None:
        assert self.listed(api) == {"data": [], "pagination": {}}

    def test_shows_every_endpoint_by_name_as_put_answered(self, api: Api, made: list[Any]) -> None:
        assert self.listed(api) == {"data": made, "pagination": {}}

    def test_pages_reach_every_endpoint_once(self, api: Api, made: list[Any]) -> None:
        found, after, sizes = [], "", []
        while True:
            answer = self.listed(api, f"page[size]=2&page[after]={after}")
            found += answer["data"]
            sizes.append(len(answer["data"]))
            if "next" not in answer["pagination"]:
                break
            after = answer["pagination"]["next"]
        assert (found, sizes) == (made, [2, 2, 1])

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("page[size]=0", "page[size]"),
            ("page[size]=101", "page[size]"),
            ("page[after]=A", "page[after]"),
            ("page[after]=waitpoint_x", "page[after]"),
            ("limit=5", "page[size]"),
            ("page[before]=a", "page[after]"),
        ],
    )
    def test_an_invalid_parameter_is_refused_and_named(self, api: Api, query: str, named: str) -> None:
        answer = api.get(f"{ENDPOINTS}?{query}")
        assert answer.status == 400
        assert named in answer.error


def test_the_url_of_an_endpoint_opens_no_token(api: Api) -> None:
    """What its hash signs must not be accepted where a token's id is expected."""
    _, name, last_part = put(api, SMALLEST)["url"].rsplit("/", 2)
    secret_id, endpoints_hash = last_part[:24], last_part[24:]
    for written_id in (f"endpoint%2F{name}%2F{secret_id}", f"waitpoint_endpoint%2F{name}%2F{secret_id}", api.create()["id"]):
        assert api.post(f"{TOKENS}/{written_id}/callback/{endpoints_hash}", b"1", {}).status == 401


def test_no_secret_and_no_url_reaches_an_answer_or_the_log(api: Api, world: InMemory) -> None:
    handler: Any = telemetry.logger.registered_handler
    log = io.StringIO()
    before = handler.setStream(log)
    try:
        url = put(api, FULL)["url"]
        shown = [api.get(path).text for path in (GITHUB, ENDPOINTS)]
        api.request("PUT", GITHUB, {**FULL, "verify": {"scheme": "github", "secret": "shared"}})
        api.request("DELETE", GITHUB)
    finally:
        handler.setStream(before)
    assert '"endpoint":"github"' in log.getvalue()
    for text in (*shown, log.getvalue()):
        assert "the-secret-that-the-provider-repeats" not in text
    assert url[-64:] not in log.getvalue()
