"""Public access tokens as the SDK signs them, and others."""

import time
from typing import Any

import jwt

from tests.support.in_process.world import World
from waitpoints.access.credentials import AUDIENCE, ISSUER, write_scope
from waitpoints.api.public_access_token import Completer, check_may_complete

TOKEN, OTHER = "waitpoint_" + "0" * 26, "waitpoint_" + "1" * 26
ABSENT = object()


def signed(world: World, key: str | None = None, algorithm: str = "HS256", **claims: Any) -> str:
    """A public access token as the SDK signs one, with some claims changed or, if ABSENT, left out."""
    return _signed(world.api_key.read_current() if key is None else key, algorithm, **claims)


def forged(key: str, token_id: str) -> str:
    """A public access token for one token, signed with anything."""
    return _signed(key, "HS256", scopes=[write_scope(token_id)])


def _signed(key: str, algorithm: str, **claims: Any) -> str:
    now = int(time.time())
    usual = {"sub": "waitpoints", "pub": True, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 900}
    written = {
        name: value for name, value in {**usual, "scopes": [write_scope(TOKEN)], **claims}.items() if value is not ABSENT
    }
    return jwt.encode(written, key, algorithm=algorithm)


def check(world: World, bearer: str, written_id: str = TOKEN) -> Completer:
    return check_may_complete(world.credentials, f"Bearer {bearer}", written_id)
