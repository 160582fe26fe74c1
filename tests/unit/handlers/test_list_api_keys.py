"""The route that lists named keys."""

from typing import Any

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.world import World
from tools.openapi import answers
from tools.openapi.operations import KEYS
from waitpoints.token import iso


def listed(api: Api) -> Any:
    answer = api.ask("GET", KEYS)
    answers.ListKeysResult.model_validate(answer)
    return answer["data"]


class TestListApiKeys:
    def test_of_no_keys_is_empty(self, api: Api) -> None:
        assert listed(api) == []

    def test_shows_them_by_name_as_they_were_made_but_for_the_key(self, api: Api, world: World) -> None:
        made = {}
        for name, more in (("b", {}), ("C", {}), ("a.1", {"expiresIn": "7d"})):
            world.advance(1)
            made[name] = api.post(KEYS, {"name": name, "scopes": ["read", "create:team-a"], **more}).json
            del made[name]["key"]
        assert listed(api) == [made["C"], made["a.1"], made["b"]]

    def test_shows_when_each_was_last_used(self, api: Api, world: World) -> None:
        key, _ = (world.api_key_store.make(name, "read") for name in ("used", "unused"))
        assert api.get(TOKENS, {"authorization": f"Bearer {key}"}).status == 200
        assert {it["name"]: it.get("lastUsedAt") for it in listed(api)} == {"used": iso(world.clock()), "unused": None}
