"""Who may complete a token: the cases of Trigger.dev's own suite (contract A2 and P2), and more."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.in_memory import InMemory
from waitpoints.api.public_access_token import check_may_complete
from waitpoints.credentials import AUDIENCE, ISSUER, write_scope
from waitpoints.errors import Forbidden, Unauthenticated

TOKEN, OTHER = "waitpoint_" + "0" * 26, "waitpoint_" + "1" * 26
ABSENT = object()


def signed(world: InMemory, key: str | None = None, algorithm: str = "HS256", **claims: Any) -> str:
    """A public access token as the SDK signs one, with some claims changed or, if ABSENT, left out."""
    now = int(time.time())
    usual = {"sub": "waitpoints", "pub": True, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 900}
    written = {
        name: value for name, value in {**usual, "scopes": [write_scope(TOKEN)], **claims}.items() if value is not ABSENT
    }
    return jwt.encode(written, world.api_key.read_current() if key is None else key, algorithm=algorithm)


def check(world: InMemory, bearer: str, written_id: str = TOKEN) -> None:
    check_may_complete(world.credentials, f"Bearer {bearer}", written_id)


class TestScopes:
    @pytest.mark.parametrize(
        "scope",
        [
            f"write:waitpoints:{TOKEN}",
            f"write:waitpoints:{TOKEN.removeprefix('waitpoint_')}",
            f"*:waitpoints:{TOKEN}",
            f"write:all:{TOKEN}",
            "write:waitpoints",
            "write:all",
            "*:waitpoints",
            "*:all",
            "admin",
        ],
    )
    def test_that_match_allow_completion(self, world: InMemory, scope: str) -> None:
        check(world, signed(world, scopes=[scope]))
        check(world, signed(world, scopes=["read:runs", scope]))

    @pytest.mark.parametrize(
        "scope",
        [
            f"write:waitpoints:{OTHER}",
            f"*:waitpoints:{OTHER}",
            f"write:all:{OTHER}",
            f"*:all:{OTHER}",
            f"read:waitpoints:{TOKEN}",
            f"write:runs:{TOKEN}",
            f"write:waitpoints:{TOKEN}:x",
            "write:waitpoints:",
            "read:waitpoints",
            "read:all",
            "write:runs",
            "write",
            "write:",
            "admin:x",
            "Admin",
            "",
            "*",
            ":",
        ],
    )
    def test_that_do_not_match_allow_nothing(self, world: InMemory, scope: str) -> None:
        with pytest.raises(Forbidden):
            check(world, signed(world, scopes=[scope]))

    @pytest.mark.parametrize("scopes", [ABSENT, [], None, "admin", {"admin": True}, [1, None, ["admin"]]])
    def test_of_the_wrong_shape_allow_nothing(self, world: InMemory, scopes: Any) -> None:
        with pytest.raises(Forbidden):
            check(world, signed(world, scopes=scopes))

    def test_match_the_id_with_and_without_its_prefix(self, world: InMemory) -> None:
        check(world, signed(world), TOKEN.removeprefix("waitpoint_"))


class TestAPublicAccessTokenIsRefused:
    @pytest.mark.parametrize(
        "claims",
        [
            {"exp": int(time.time()) - 1},
            {"exp": ABSENT},
            {"exp": "tomorrow"},
            {"iat": int(time.time()) + 3600},
            {"nbf": int(time.time()) + 3600},
            {"pub": False},
            {"pub": "true"},
            {"pub": 1},
            {"pub": ABSENT},
            {"sub": ABSENT},
            {"sub": "another-stack"},
            {"sub": 7},
            {"iss": "https://example.com"},
            {"iss": ABSENT},
            {"aud": "https://example.com"},
            {"aud": ABSENT},
        ],
        ids=" ".join,
    )
    def test_with_a_claim_that_is_wrong(self, world: InMemory, claims: dict[str, Any]) -> None:
        with pytest.raises(Unauthenticated):
            check(world, signed(world, scopes=["admin"], **claims))

    def test_when_signed_with_another_key(self, world: InMemory) -> None:
        with pytest.raises(Unauthenticated):
            check(world, signed(world, key="another-key-of-the-same-kind-0123456789"))

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    def test_when_signed_with_another_algorithm(self, world: InMemory, algorithm: str) -> None:
        with pytest.raises(Unauthenticated):
            check(world, signed(world, algorithm=algorithm))

    def test_when_unsigned(self, world: InMemory) -> None:
        header, claims, _ = signed(world).split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        for forged in (f"{none}.{claims}.", f"{header}.{claims}.", f"{none}.{claims}"):
            with pytest.raises(Unauthenticated):
                check(world, forged)

    def test_when_its_claims_were_changed(self, world: InMemory) -> None:
        header, claims, signature = signed(world).split(".")
        changed = {**json.loads(base64.urlsafe_b64decode(claims + "==")), "scopes": ["admin"]}
        forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
        with pytest.raises(Unauthenticated):
            check(world, f"{header}.{forged}.{signature}")

    @given(st.text() | st.text(alphabet="eyJhbGciOi.-_=", max_size=60))
    def test_when_malformed(self, bearer: str) -> None:
        with pytest.raises(Unauthenticated):
            check(InMemory(), bearer)

    def test_where_the_api_key_is_required(self, world: InMemory) -> None:
        with pytest.raises(Unauthenticated, match="Invalid API key"):
            world.credentials.check_api_key(f"Bearer {signed(world, scopes=['admin'])}")


class TestTheApiKey:
    def test_is_accepted_with_and_without_bearer(self, world: InMemory) -> None:
        for written in (
            f"Bearer {world.api_key.read_current()}",
            world.api_key.read_current(),
            f"Bearer  {world.api_key.read_current()} ",
        ):
            world.credentials.check_api_key(written)
            check_may_complete(world.credentials, written, TOKEN)

    @pytest.mark.parametrize("written", [None, "", " ", "Bearer", "Bearer ", "Bearer   "])
    def test_is_required(self, world: InMemory, written: str | None) -> None:
        for check_it in (world.credentials.check_api_key, lambda it: check_may_complete(world.credentials, it, TOKEN)):
            with pytest.raises(Unauthenticated):
                check_it(written)

    @pytest.mark.parametrize(
        "change", [str.upper, lambda key: key[:-1], lambda key: key + "x", lambda key: "pk_" + key, lambda _: "ü"]
    )
    def test_is_refused_when_it_is_wrong(self, world: InMemory, change: Any) -> None:
        with pytest.raises(Unauthenticated, match="Invalid API key"):
            world.credentials.check_api_key(f"Bearer {change(world.api_key.read_current())}")

    def test_and_tokens_signed_with_it_survive_one_rotation_but_not_two(self, world: InMemory) -> None:
        old, public = world.api_key.read_current(), signed(world)
        world.api_key.rotate("the-next-api-key-0123456789-0123456789")
        world.credentials.check_api_key(old)
        check(world, public)
        world.api_key.rotate("the-api-key-after-that-0123456789")
        with pytest.raises(Unauthenticated):
            world.credentials.check_api_key(old)
        with pytest.raises(Unauthenticated):
            check(world, public)


def test_the_public_access_token_from_create_is_valid_for_its_token_for_one_day(world: InMemory) -> None:
    bearer = world.credentials.sign_public_access_token([write_scope(TOKEN)])
    check(world, bearer)
    with pytest.raises(Forbidden):
        check(world, bearer, OTHER)
    claims = jwt.decode(bearer, world.api_key.read_current(), algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER)
    assert (claims["exp"] - claims["iat"], claims["pub"], claims["sub"]) == (86_400, True, "waitpoints")
    assert jwt.get_unverified_header(bearer)["alg"] == "HS256"


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_what_is_signed_is_a_jwt_whatever_its_scopes_are(scopes: list[str]) -> None:
    credentials = InMemory().credentials
    signed_token = credentials.sign_public_access_token(scopes)
    claims = jwt.decode(
        signed_token, credentials.api_key.read_current(), algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER
    )
    assert claims["scopes"] == scopes
