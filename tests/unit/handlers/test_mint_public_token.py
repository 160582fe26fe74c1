"""Public access tokens of named keys: what they may complete, and when they end (contract Q12 and Q13).

`api/public_token_request`
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from botocore.exceptions import EndpointConnectionError

from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.access.api_keys import digest
from waitpoints.access.credentials import AUDIENCE, ISSUER
from waitpoints.api.public_token_request import MAX_LIFETIME, lifetime
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.public_token import CREATE_PUBLIC_TOKEN_REQUEST
from waitpoints.errors import InvalidTimeout

MINT = "/api/v1/auth/public-tokens"
DAY = 86_400  # seconds
HARMLESS = ["read:waitpoints", "read:runs:run_1", "write:tags:a", "trigger:tasks:a:b", "batchTrigger:tasks:a", "admin:x"]
NO_SCOPES = ["", "write", "write:", "write:waitpoints:", "writes:waitpoints", "waitpoint_1", "read write:waitpoints", "Admin"]
WIDE = ["write:waitpoints", "write:all", "*:waitpoints", "*:all", "admin"]


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


def claims(world: World, token: str) -> dict[str, Any]:
    return jwt.decode(token, world.api_key.read_current(), algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER)


def mint(api: Api, key: str, *scopes: str, **body: Any) -> str:
    return str(api.ask("POST", MINT, {"scopes": scopes, **body}, headers=bearer(key))["token"])


def complete(api: Api, credential: str, token_id: str) -> HttpAnswer:
    return api.post(f"{TOKENS}/{token_id}/complete", {"data": 1}, bearer(credential))


class TestMint:
    def test_a_token_says_which_key_made_it_and_lives_for_fifteen_minutes(self, api: Api, world: World) -> None:
        key = world.api_key_store.make("nightly", "complete")
        asked_at = int(time.time())
        found = claims(world, mint(api, key, "write:waitpoints:waitpoint_1"))
        assert 0 <= found.pop("iat") - asked_at <= 5
        assert 900 <= found.pop("exp") - asked_at <= 905
        assert found == {
            "sub": f"waitpoints/{digest(key)[:16]}",
            "pub": True,
            "scopes": ["write:waitpoints:waitpoint_1"],
            "iss": ISSUER,
            "aud": AUDIENCE,
        }

    def test_the_root_key_gets_one_that_no_named_key_ends(self, api: Api, world: World) -> None:
        found = claims(world, mint(api, world.api_key.read_current(), "admin", expirationTime="1h"))
        assert (found["scopes"], found["exp"] - found["iat"], found["sub"]) == (["admin"], 3600, "waitpoints")


class TestScopesAreWithinThoseOfTheKey:
    @pytest.mark.parametrize("scope", [*WIDE, "write:waitpoints:waitpoint_1", *HARMLESS])
    def test_a_key_that_may_complete_any_token_can_allow_it(self, api: Api, world: World, scope: str) -> None:
        mint(api, world.api_key_store.make("nightly", "complete"), scope)

    @pytest.mark.parametrize("scope", NO_SCOPES)
    def test_a_text_that_is_no_scope_of_trigger_dev_is_refused(self, api: Api, world: World, scope: str) -> None:
        key, scopes = world.api_key_store.make("nightly", "complete"), {"scopes": ["read:runs", scope]}
        is_refused(world, lambda: api.post(MINT, scopes, bearer(key)), 400, "Validation error: expected", ' at "scopes[1]"')
        of_root = partial(api.post, "/api/v1/auth/jwt", {"claims": scopes})
        is_refused(world, of_root, 400, "Validation error: expected", ' at "claims.scopes[1]"')

    @pytest.mark.parametrize("scope", WIDE)
    def test_a_key_that_is_limited_to_a_tag_cannot_allow_every_token(self, api: Api, world: World, scope: str) -> None:
        key = world.api_key_store.make("nightly", "complete:team-a", "create", "read")
        ask = partial(api.post, MINT, {"scopes": ["read:waitpoints", scope]}, bearer(key))
        is_refused(world, ask, 403, "unauthorized", "lacks the scope complete:", "complete:team-a")

    @pytest.mark.parametrize("scope", ["write:waitpoints:waitpoint_1", "*:all:waitpoint_1", *HARMLESS])
    def test_a_key_that_is_limited_to_a_tag_can_allow_single_tokens(self, api: Api, world: World, scope: str) -> None:
        mint(api, world.api_key_store.make("nightly", "complete:team-a"), scope)

    def test_a_star_in_the_place_of_an_id_is_no_wildcard(self, api: Api, world: World) -> None:
        public = mint(api, world.api_key_store.make("nightly", "complete:team-a"), "write:waitpoints:*")
        assert complete(api, public, api.create(tags=["team-a"])["id"]).status == 403


def revoke(world: World) -> None:
    world.api_key_store.remove("nightly")


def make_again(world: World) -> None:
    world.api_key_store.make("nightly", "create", "complete")


def expire(world: World) -> None:
    world.advance(seconds=3600)


class TestATokenEndsWithItsKey:
    @pytest.mark.parametrize("end", [revoke, make_again, expire])
    def test_within_a_minute(self, api: Api, world: World, end: Callable[[World], None]) -> None:
        key = world.api_key_store.make("nightly", "create", "complete", expires_at=world.clock() + 3_600_000)
        created = api.post(TOKENS, {}, bearer(key))
        token_id, given = created.json["id"], created.headers["x-trigger-jwt"]
        minted = mint(api, key, "write:waitpoints", expirationTime="30d")
        end(world)
        world.advance(seconds=60)
        for public in (minted, given):
            is_refused(world, partial(complete, api, public, token_id), 401, "has been revoked or has expired")

    def test_and_lives_as_long_as_it(self, api: Api, world: World) -> None:
        key = world.api_key_store.make("nightly", "complete")
        minted = mint(api, key, "write:waitpoints", expirationTime="30d")
        for _ in range(3):
            world.advance(seconds=DAY)
            assert complete(api, minted, api.create()["id"]).status == 200

    def test_is_503_while_the_keys_cannot_be_read(self, api: Api, world: World) -> None:
        key = world.api_key_store.make("nightly", "complete")
        minted, token_id = mint(api, key, "write:waitpoints"), api.create()["id"]
        world.api_key_store.failure = EndpointConnectionError(endpoint_url="https://dynamodb")
        assert complete(api, minted, token_id).status == 200
        world.advance(seconds=60)
        assert complete(api, minted, token_id).status == 503

    def test_costs_nothing_if_the_root_key_made_it(self, api: Api, world: World) -> None:
        created = api.post(TOKENS, {})
        assert complete(api, created.headers["x-trigger-jwt"], created.json["id"]).status == 200
        assert world.api_key_store.reads == 0


class TestTheTokenThatCreateReturns:
    @pytest.mark.parametrize("scopes", [("create",), ("create:team-a",), ("create", "complete:team-b")])
    def test_completes_that_token_whatever_else_the_key_may_do(self, api: Api, world: World, scopes: tuple[str, ...]) -> None:
        key = world.api_key_store.make("nightly", *scopes)
        created = api.post(TOKENS, {"tags": ["team-a"]}, bearer(key))
        public = created.headers["x-trigger-jwt"]
        assert claims(world, public)["sub"] == f"waitpoints/{digest(key)[:16]}"
        assert claims(world, public).items() >= json.loads(created.headers["x-trigger-jwt-claims"]).items()
        assert complete(api, public, api.create(tags=["team-a", "team-b"])["id"]).status == 403
        assert complete(api, public, created.json["id"]).status == 200
        assert api.retrieve(created.json["id"])["status"] == "COMPLETED"


NOW = 1_800_000_000_999  # milliseconds
SECONDS = NOW // 1000


def asked_lifetime(**asked: Any) -> int:
    return lifetime(validate(CREATE_PUBLIC_TOKEN_REQUEST, asked).expiration_time, NOW)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({}, 3600),
        ({"expirationTime": "15m"}, 900),
        ({"expirationTime": "30d"}, MAX_LIFETIME),
        ({"expirationTime": SECONDS + 1}, 1),
        ({"expirationTime": SECONDS + MAX_LIFETIME}, MAX_LIFETIME),
    ],
)
def test_a_duration_and_a_time_say_how_long(asked: dict[str, Any], seconds: int) -> None:
    assert asked_lifetime(**asked) == seconds


@pytest.mark.parametrize("written", ["", "soon", "0s", "30d1s", 0, -1, SECONDS, SECONDS + MAX_LIFETIME + 1])
def test_anything_but_the_next_thirty_days_is_refused(written: str | int) -> None:
    with pytest.raises(InvalidTimeout, match="in the next 30 days"):
        asked_lifetime(expirationTime=written)
