"""The API key, and what is signed with it (contract A2)."""

from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.access_tokens import TOKEN, check, signed
from tests.support.fakes.in_memory import InMemory
from waitpoints.api.public_access_token import check_may_complete
from waitpoints.credentials import AUDIENCE, ISSUER
from waitpoints.errors import Unauthenticated


class TestTheApiKey:
    def test_is_accepted_with_and_without_bearer(self, world: InMemory) -> None:
        for written in (
            f"Bearer {world.api_key.read_current()}",
            world.api_key.read_current(),
            f"Bearer  {world.api_key.read_current()} ",
        ):
            world.credentials.caller(written)
            check_may_complete(world.credentials, written, TOKEN)

    @pytest.mark.parametrize("written", [None, "", " ", "Bearer", "Bearer ", "Bearer   "])
    def test_is_required(self, world: InMemory, written: str | None) -> None:
        for check_it in (world.credentials.caller, lambda it: check_may_complete(world.credentials, it, TOKEN)):
            with pytest.raises(Unauthenticated):
                check_it(written)

    @pytest.mark.parametrize(
        "change", [str.upper, lambda key: key[:-1], lambda key: key + "x", lambda key: "pk_" + key, lambda _: "ü"]
    )
    def test_is_refused_when_it_is_wrong(self, world: InMemory, change: Any) -> None:
        with pytest.raises(Unauthenticated, match="Invalid API key"):
            world.credentials.caller(f"Bearer {change(world.api_key.read_current())}")

    def test_and_tokens_signed_with_it_survive_one_rotation_but_not_two(self, world: InMemory) -> None:
        old, public = world.api_key.read_current(), signed(world)
        world.api_key.rotate("the-next-api-key-0123456789-0123456789")
        world.credentials.caller(old)
        check(world, public)
        world.api_key.rotate("the-api-key-after-that-0123456789")
        with pytest.raises(Unauthenticated):
            world.credentials.caller(old)
        with pytest.raises(Unauthenticated):
            check(world, public)


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_what_is_signed_is_a_jwt_whatever_its_scopes_are(scopes: list[str]) -> None:
    credentials = InMemory().credentials
    signed_token = credentials.sign_public_access_token(scopes)
    claims = jwt.decode(
        signed_token, credentials.api_key.read_current(), algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER
    )
    assert claims["scopes"] == scopes
