"""Who may complete a token with a public access token: the cases of Trigger.dev's own suite (contract A2 and P2), and more."""

import base64
import json
import time
from contextlib import nullcontext
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.access_tokens import ABSENT, OTHER, TOKEN, check, signed
from tests.support.in_process.world import World
from waitpoints.access.api_keys import digest
from waitpoints.access.credentials import AUDIENCE, ISSUER, write_scope
from waitpoints.api.public_access_token import Completer
from waitpoints.errors import Forbidden, Unauthenticated


class TestScopes:
    """`test_options.py` has those of the documents, alone and in pairs."""

    @pytest.mark.parametrize(
        "scope", [f"write:waitpoints:{TOKEN}:x", "write:waitpoints:", "write:", "admin:x", "Admin", "", "*", ":"]
    )
    def test_that_only_resemble_them_allow_nothing(self, world: World, scope: str) -> None:
        with pytest.raises(Forbidden):
            check(world, signed(world, scopes=[scope]))

    @pytest.mark.parametrize("scopes", [ABSENT, [], None, "admin", {"admin": True}, [1, None, ["admin"]]])
    def test_of_the_wrong_shape_allow_nothing(self, world: World, scopes: Any) -> None:
        with pytest.raises(Forbidden):
            check(world, signed(world, scopes=scopes))

    @pytest.mark.parametrize(
        ("scopes", "why"),
        [
            ([write_scope(OTHER)], "is for another waitpoint"),
            (["read:waitpoints", f"*:all:{OTHER}"], "is for another waitpoint"),
            (["read:waitpoints", "write:runs", "write:waitpoints:"], "has no scope that completes a waitpoint"),
            ([], "has no scope that completes a waitpoint"),
        ],
    )
    def test_that_allow_nothing_here_are_said_to_without_an_id(self, world: World, scopes: list[str], why: str) -> None:
        with pytest.raises(Forbidden, match=f"^This Public Access Token {why}") as refused:
            check(world, signed(world, scopes=scopes))
        assert OTHER not in refused.value.message

    def test_match_the_id_with_and_without_its_prefix(self, world: World) -> None:
        check(world, signed(world), TOKEN.removeprefix("waitpoint_"))


class TestAPublicAccessTokenIsRefused:
    @pytest.mark.parametrize(
        "claims",
        [
            {"exp": int(time.time()) - 1},
            {"exp": ABSENT},
            {"exp": "tomorrow"},
            {"iat": int(time.time()) + 86_400},
            {"nbf": int(time.time()) + 86_400},
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
    def test_with_a_claim_that_is_wrong(self, world: World, claims: dict[str, Any]) -> None:
        with pytest.raises(Unauthenticated):
            check(world, signed(world, scopes=["admin"], **claims))

    def test_once_it_has_expired_which_only_who_has_a_right_signature_is_told(self, world: World) -> None:
        past = int(time.time()) - 1
        with pytest.raises(Unauthenticated, match="has expired: create another"):
            check(world, signed(world, exp=past))
        with pytest.raises(Unauthenticated, match="is invalid"):
            check(world, signed(world, exp=past, key="another-key-of-the-same-kind-0123456789"))

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_unless_the_clock_of_who_signed_it_is_only_a_minute_ahead(self, world: World, claim: str) -> None:
        for ahead in (1, 5, 60, 120):
            claims: dict[str, Any] = {claim: int(time.time()) + ahead}
            with pytest.raises(Unauthenticated) if ahead > 60 else nullcontext():
                check(world, signed(world, **claims))

    @pytest.mark.parametrize(
        "change",
        [
            {"key": "another-key-of-the-same-kind-0123456789"},
            {"algorithm": "HS384"},
            {"algorithm": "HS512"},
        ],
        ids=str,
    )
    def test_when_signed_with_another_key_or_algorithm(self, world: World, change: dict[str, str]) -> None:
        with pytest.raises(Unauthenticated):
            check(world, signed(world, **change))

    def test_when_unsigned_or_its_claims_were_changed(self, world: World) -> None:
        header, claims, signature = signed(world).split(".")
        none = written(b'{"alg":"none"}')
        changed = {**json.loads(base64.urlsafe_b64decode(claims + "==")), "scopes": ["admin"]}
        forged = f"{header}.{written(json.dumps(changed).encode())}.{signature}"
        for bearer in (f"{none}.{claims}.", f"{header}.{claims}.", f"{none}.{claims}", forged):
            with pytest.raises(Unauthenticated):
                check(world, bearer)

    @given(st.text() | st.text(alphabet="eyJhbGciOi.-_=", max_size=60))
    def test_when_malformed(self, bearer: str) -> None:
        with pytest.raises(Unauthenticated):
            check(World(), bearer)


class TestOfANamedKey:
    @pytest.mark.parametrize(
        ("scopes", "own", "tag"),
        [
            (("complete",), False, None),
            (("complete:team-a",), False, "team-a"),
            (("create:team-a", "complete:team-b"), False, "team-b"),
            (("create:team-a", "complete:team-b"), True, None),
            (("create",), True, None),
        ],
    )
    def test_it_completes_what_its_key_may_and_what_its_key_created(
        self, world: World, scopes: tuple[str, ...], own: bool, tag: str | None
    ) -> None:
        assert who(check(world, public(world, scopes, own=own))) == (False, "nightly", tag)

    @pytest.mark.parametrize("own", [ABSENT, False, None, 1, "true", {}])
    def test_it_needs_complete_unless_it_is_for_a_token_of_its_key(self, world: World, own: Any) -> None:
        digits = digest(world.api_key_store.make("nightly", "create"))[:16]
        with pytest.raises(Forbidden, match="lacks the scope complete"):
            check(world, signed(world, sub=f"waitpoints/{digits}", own=own))

    @pytest.mark.parametrize("of_the_digest", [lambda it: it[:15], lambda it: it[1:], lambda it: it + "x", lambda _: ""])
    def test_it_is_refused_unless_its_subject_has_the_beginning_of_a_digest(self, world: World, of_the_digest: Any) -> None:
        digits = digest(world.api_key_store.make("nightly", "complete"))[:16]
        check(world, signed(world, sub=f"waitpoints/{digits}"))
        with pytest.raises(Unauthenticated, match="revoked"):
            check(world, signed(world, sub=f"waitpoints/{of_the_digest(digits)}"))

    @pytest.mark.parametrize("digits", ["", "nightly", "0" * 16, "/", "ü"])
    def test_it_is_refused_if_its_subject_names_no_key(self, world: World, digits: str) -> None:
        world.api_key_store.make("nightly", "complete")
        with pytest.raises(Unauthenticated, match="revoked"):
            check(world, signed(world, sub=f"waitpoints/{digits}"))

    def test_it_is_refused_by_another_stack(self, world: World) -> None:
        digits = digest(world.api_key_store.make("nightly", "complete"))[:16]
        with pytest.raises(Unauthenticated, match="Invalid Public Access Token"):
            check(world, signed(world, sub=f"another/{digits}"))


def written(part: bytes) -> str:
    """As a part of a JWT."""
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def public(world: World, scopes: tuple[str, ...], *, own: bool = False) -> str:
    caller = world.credentials.caller(world.api_key_store.make("nightly", *scopes))
    return world.credentials.sign_public_access_token([write_scope(TOKEN)], caller=caller, own=own)


def who(completer: Completer) -> tuple[bool, str | None, str | None]:
    return completer.by_api_key, completer.caller.name, completer.caller.only_tag("complete")


def test_the_public_access_token_from_create_is_valid_for_its_token_for_one_day(world: World) -> None:
    bearer = world.credentials.sign_public_access_token([write_scope(TOKEN)])
    check(world, bearer)
    with pytest.raises(Forbidden):
        check(world, bearer, OTHER)
    claims = jwt.decode(bearer, world.api_key.read_current(), algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER)
    assert (claims["exp"] - claims["iat"], claims["pub"], claims["sub"]) == (86_400, True, "waitpoints")
    assert jwt.get_unverified_header(bearer)["alg"] == "HS256"
