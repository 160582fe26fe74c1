"""The root key, named keys, and what is signed with the root key (contract A2 and Q1 to Q4)."""

from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.access_tokens import TOKEN, check, signed
from tests.support.in_process.world import World
from waitpoints.access.api_keys import digest, new_key
from waitpoints.access.caller import ROOT
from waitpoints.access.credentials import AUDIENCE, ISSUER
from waitpoints.api.public_access_token import check_may_complete
from waitpoints.errors import Unauthenticated


class TestTheApiKey:
    def test_is_accepted_with_and_without_bearer(self, world: World) -> None:
        for written in (
            f"Bearer {world.api_key.read_current()}",
            world.api_key.read_current(),
            f"Bearer  {world.api_key.read_current()} ",
        ):
            assert world.credentials.caller(written) is ROOT
            check_may_complete(world.credentials, written, TOKEN)

    @pytest.mark.parametrize("written", [None, "", " ", "Bearer", "Bearer ", "Bearer   "])
    def test_is_required(self, world: World, written: str | None) -> None:
        for check_it in (world.credentials.caller, lambda it: check_may_complete(world.credentials, it, TOKEN)):
            with pytest.raises(Unauthenticated):
                check_it(written)

    @pytest.mark.parametrize(
        "change", [str.upper, lambda key: key[:-1], lambda key: key + "x", lambda key: "pk_" + key, lambda _: "ü"]
    )
    def test_is_refused_when_it_is_wrong(self, world: World, change: Any) -> None:
        with pytest.raises(Unauthenticated, match="Invalid API key"):
            world.credentials.caller(f"Bearer {change(world.api_key.read_current())}")

    def test_and_tokens_signed_with_it_survive_one_rotation_but_not_two(self, world: World) -> None:
        old, public = world.api_key.read_current(), signed(world)
        world.api_key.rotate("the-next-api-key-0123456789-0123456789")
        world.credentials.caller(old)
        check(world, public)
        world.api_key.rotate("the-api-key-after-that-0123456789")
        with pytest.raises(Unauthenticated):
            world.credentials.caller(old)
        with pytest.raises(Unauthenticated):
            check(world, public)

    @pytest.mark.parametrize(
        "key", ["tr_prod_sk_chosen-by-a-team", "tr_prod_sk_" + "a" * 24, pytest.param(new_key(), id="of the form")]
    )
    def test_is_accepted_if_it_begins_as_named_keys_do(self, world: World, key: str) -> None:
        world.api_key.rotate(key)
        assert world.credentials.caller(f"Bearer {key}") is ROOT

    def test_reads_no_named_keys_whether_it_is_right_or_wrong(self, world: World) -> None:
        world.api_key_store.failure = ConnectionError()
        assert world.credentials.caller(world.api_key.read_current()) is ROOT
        for wrong in ("wrong", "tr_prod_wrong", "tr_prod_sk_", "tr_prod_sk_" + "a" * 24, new_key()[:-1]):
            with pytest.raises(Unauthenticated, match="Invalid API key"):
                world.credentials.caller(wrong)
        assert world.api_key_store.reads == 0


class TestANamedKey:
    @pytest.mark.parametrize("written", ["Bearer {}", "{}", "bearer  {} "])
    def test_names_its_caller(self, world: World, written: str) -> None:
        caller = world.credentials.caller(written.format(world.api_key_store.make("ci", "read")))
        assert (caller.name, caller.may("read", []), caller.may("create", [])) == ("ci", True, False)

    def test_does_not_become_another_one_with_a_bearer_or_a_line_around_it(self, world: World) -> None:
        key = world.api_key_store.make("ci", "read")
        for written in (f"{key}x", f"{key} {key}", f"x{key}", key.swapcase(), digest(key), f"tr_prod_sk_{digest(key)[:24]}"):
            with pytest.raises(Unauthenticated):
                world.credentials.caller(written)

    def test_signs_no_public_access_token_by_itself(self, world: World) -> None:
        """The SDK asks the server for them, but whoever reads the table has the digest."""
        key = world.api_key_store.make("ci", "complete")
        for secret in (key, digest(key)):
            with pytest.raises(Unauthenticated):
                check(world, signed(world, secret))


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_what_is_signed_is_a_jwt_whatever_its_scopes_are(scopes: list[str]) -> None:
    credentials = World().credentials
    signed_token = credentials.sign_public_access_token(scopes)
    claims = jwt.decode(
        signed_token, credentials.api_key.read_current(), algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER
    )
    assert claims["scopes"] == scopes
