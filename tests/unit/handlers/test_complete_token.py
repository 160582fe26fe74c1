"""The route that completes a token with the API key or a public access token."""

from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.api.http import PAYLOAD_LIMIT

UNKNOWN = "waitpoint_" + "0" * 26


def complete_url(token: Any) -> str:
    return f"{TOKENS}/{token['id']}/complete"


class TestComplete:
    @pytest.mark.parametrize(
        ("body", "output"),
        [
            ('{"data": {"n": 1.50, "__proto__": 1}}', '{"n": 1.50, "__proto__": 1}'),
            ('{"data":null}', "null"),
            ('{"data":""}', '""'),
            ("{}", None),
        ],
    )
    def test_keeps_the_data_exactly_as_sent(self, api: Api, body: str, output: str | None) -> None:
        token = api.create()
        answer = api.post(complete_url(token), body)
        assert (answer.status, answer.json) == (200, {"success": True, "settled": True})
        assert api.retrieve(token["id"]).get("output") == output

    def test_a_second_time_succeeds_and_changes_nothing(self, api: Api) -> None:
        token = api.create()
        api.post(complete_url(token), {"data": 1})
        before = api.retrieve(token["id"])
        answer = api.post(complete_url(token), {"data": 2})
        assert (answer.status, answer.json) == (200, {"success": True, "settled": False})
        assert api.retrieve(token["id"]) == before

    def test_over_three_mebibytes_is_413_and_leaves_the_token_as_it_was(self, api: Api, world: World) -> None:
        token = api.create()
        is_refused(world, lambda: api.post(complete_url(token), b'{"data":1}'.ljust(PAYLOAD_LIMIT + 1)), 413)
        assert api.post(complete_url(token), b'{"data":1}'.ljust(PAYLOAD_LIMIT)).status == 200

    def test_without_the_scope_is_403_before_it_is_404(self, api: Api, world: World) -> None:
        stranger = world.credentials.sign_public_access_token(["write:waitpoints:another"])
        for token_id in (api.create()["id"], UNKNOWN):
            answer = api.post(f"{TOKENS}/{token_id}/complete", {}, {"authorization": f"Bearer {stranger}"})
            assert answer.status == 403
            assert answer.json == {
                "error": "This Public Access Token is for another waitpoint",
                "code": "unauthorized",
                "param": "access_token",
                "type": "authorization",
            }

    def test_of_an_unknown_token_is_404(self, api: Api, world: World) -> None:
        is_refused(world, lambda: api.post(f"{TOKENS}/{UNKNOWN}/complete", {"data": 1}), 404, "Waitpoint not found")

    def test_every_answer_allows_browsers_of_any_origin(self, api: Api, world: World) -> None:
        asked = {"origin": "https://shop.example.com", "access-control-request-headers": "authorization,x-trigger-source"}
        preflight = api.request("OPTIONS", complete_url(api.create()), None, asked)
        assert preflight.status == 200
        assert preflight.headers["access-control-allow-headers"] == "authorization,x-trigger-source"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        refused = api.post(complete_url(api.create()), {}, {"origin": "https://shop.example.com"})
        assert refused.status == 401
        for answer in (preflight, refused):
            assert answer.headers["access-control-allow-origin"] == "https://shop.example.com"
            assert "Origin" in answer.headers["vary"]
            assert "access-control-allow-credentials" not in answer.headers
