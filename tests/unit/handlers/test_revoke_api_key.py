"""The route that revokes a named key."""

import io
import json

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi.operations import KEYS
from waitpoints.access.api_key_cache import CACHED_FOR


def revoke(api: Api, name: str) -> HttpAnswer:
    return api.request("DELETE", f"{KEYS}/{name}")


class TestRevokeApiKey:
    def test_ends_the_key_within_a_minute_and_no_other(self, api: Api, world: World, log: io.StringIO) -> None:
        ended, other = ({"authorization": f"Bearer {world.api_key_store.make(name, 'read')}"} for name in ("ended", "other"))
        assert api.get(TOKENS, ended).status == 200
        answer = revoke(api, "ended")
        assert json.loads(log.getvalue().splitlines()[-1])["revokedApiKey"] == "ended"
        assert (answer.status, answer.json) == (200, {"success": True})
        world.advance(CACHED_FOR)
        assert (api.get(TOKENS, ended).status, api.get(TOKENS, other).status) == (401, 200)
        assert [it["name"] for it in api.get(KEYS).json["data"]] == ["other"]

    def test_then_making_one_of_its_name_does_not_revive_it(self, api: Api, world: World) -> None:
        old = {"authorization": f"Bearer {world.api_key_store.make('job', 'read')}"}
        revoke(api, "job")
        assert api.post(KEYS, {"name": "job", "scopes": ["read"]}).status == 200
        assert api.get(TOKENS, old).status == 401

    @pytest.mark.parametrize("name", ["nightly-job", "keys"])
    def test_of_an_unknown_name_is_404(self, api: Api, world: World, name: str) -> None:
        world.api_key_store.make("other", "read")
        is_refused(world, lambda: revoke(api, name), 404, "Key not found")

    @pytest.mark.parametrize("name", ["-", "x" * 65, "x" * 5_000, "%2F", "gr%C3%B6%C3%9Fe"])
    def test_of_an_impossible_name_is_404_without_a_call(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """DynamoDB takes no such long name of a member."""
        monkeypatch.setattr(world.api_key_store, "remove", lambda name: pytest.fail(f"asked for {name}"))
        is_refused(world, lambda: revoke(api, name), 404, "Key not found")
