"""The route that makes a named key."""

import io
import json
from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.stores import fill
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi.operations import KEYS
from waitpoints.access.api_keys import MOST, NamedKey, Scope, digest, has_form
from waitpoints.token import iso

DAY = 86_400_000
SMALLEST = {"name": "nightly-job", "scopes": ["read"]}


def make(api: Api, **fields: Any) -> HttpAnswer:
    return api.post(KEYS, {**SMALLEST, **fields})


class TestCreateApiKey:
    def test_shows_the_key_and_stores_only_its_digest(self, api: Api, world: World) -> None:
        answer = make(api, scopes=["create:team-a", "endpoints"], expiresIn="90d")
        key, now = answer.json.pop("key"), world.clock()
        assert has_form(key)
        assert (answer.status, answer.json | {"key": None}) == (
            200,
            {
                "name": "nightly-job",
                "key": None,
                "scopes": ["create:team-a", "endpoints"],
                "createdAt": iso(now),
                "expiresAt": iso(now + 90 * DAY),
            },
        )
        scopes = (Scope("create", "team-a"), Scope("endpoints"))
        assert world.api_key_store.keys == {"nightly-job": NamedKey("nightly-job", digest(key), scopes, now, now + 90 * DAY)}
        assert key not in repr(world.api_key_store.keys)

    def test_of_a_name_that_is_taken_is_409_and_changes_nothing(self, api: Api, world: World) -> None:
        make(api)
        is_refused(world, lambda: make(api, scopes=["create"]), 409, "revoke it first")

    def test_of_a_name_whose_key_has_expired_makes_a_new_one(self, api: Api, world: World) -> None:
        old = make(api, expiresIn="1h").json["key"]
        world.advance(3_599_999)
        assert make(api).status == 409
        world.advance(1)
        new = make(api).json["key"]
        assert new != old
        assert api.get(TOKENS, {"authorization": f"Bearer {new}"}).status == 200
        assert api.get(TOKENS, {"authorization": f"Bearer {old}"}).status == 401

    def test_of_more_than_the_stack_holds_is_409(self, api: Api, world: World) -> None:
        assert MOST == 500
        fill(world.api_key_store, [NamedKey(f"key-{number}", digest(f"{number}"), (), 0) for number in range(MOST)])
        is_refused(world, lambda: make(api), 409, "revoke one first")
        world.api_key_store.remove("key-7")
        assert make(api).status == 200

    def test_of_a_name_in_other_letters_is_another_key(self, api: Api, world: World) -> None:
        assert [make(api, name=name).status for name in ("ci", "CI")] == [200, 200]
        assert sorted(world.api_key_store.keys) == ["CI", "ci"]

    def test_has_the_name_in_its_log_line_and_never_the_key(
        self, api: Api, log: io.StringIO, capsys: pytest.CaptureFixture[str]
    ) -> None:
        key = make(api).json["key"]
        assert json.loads(log.getvalue())["createdApiKey"] == "nightly-job"
        assert key not in log.getvalue() + capsys.readouterr().out
