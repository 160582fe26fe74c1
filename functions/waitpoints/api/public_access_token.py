"""Check public access tokens, which only the complete route accepts: HS256 JWTs that are signed with the API key."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jwt

from waitpoints.access.caller import Caller
from waitpoints.access.credentials import AUDIENCE, ISSUER, OWN, Credentials, bearer, what_it_completes
from waitpoints.errors import Forbidden, Unauthenticated
from waitpoints.ids import PREFIX

LEEWAY = 60  # seconds by which the clock of who has signed may be ahead. `exp` has none
_EXPIRED = "Public Access Token has expired: create another"


@dataclass(frozen=True, slots=True)
class Completer:
    """Who may complete a token: the holder of an API key, or of a public access token that the `caller`'s key has made."""

    caller: Caller
    by_api_key: bool

    @property
    def by_root_key(self) -> bool:
        return self.by_api_key and self.caller.scopes is None


def check_may_complete(credentials: Credentials, authorization: str | None, token_id: str) -> Completer:
    """Return who wants to complete this token: an API key, or a public access token whose scope covers it.

    Raises Unauthenticated or Forbidden if it is neither, or a named key without `complete`.
    """
    credential = bearer(authorization)
    if not _is_public_access_token(credential):
        caller = credentials.caller(authorization)
        caller.require("complete")
        return Completer(caller, by_api_key=True)
    claims = _verify(credential, credentials)
    maker = credentials.find_maker(claims["sub"])
    scopes = _scopes(claims)
    if not any(_allows(scope, token_id) for scope in scopes):
        raise Forbidden(_why_not(scopes))
    if claims.get(OWN) is True:
        return Completer(replace(maker, scopes=None), by_api_key=False)
    maker.require("complete")
    return Completer(maker, by_api_key=False)


def _verify(token: str, credentials: Credentials) -> dict[str, Any]:
    """Return the claims of a public access token. Raises Unauthenticated if this stack's root key has not signed it."""
    for key in credentials.api_key.read_accepted():
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["HS256"],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(_EXPIRED) from None
        except jwt.InvalidTokenError:
            break
        if int(claims["exp"]) <= time.time():
            raise Unauthenticated(_EXPIRED)
        return claims
    raise Unauthenticated("Public Access Token is invalid")


def _why_not(scopes: list[str]) -> str:
    """Say why a token with these scopes does not complete another, without its id."""
    if any(completes and only for completes, only in map(what_it_completes, scopes)):
        return "This Public Access Token is for another waitpoint"
    return "This Public Access Token has no scope that completes a waitpoint, such as write:waitpoints:<id>"


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    scopes = claims.get("scopes")
    return [scope for scope in scopes if isinstance(scope, str)] if isinstance(scopes, list) else []


def _is_public_access_token(credential: str) -> bool:
    try:
        claims = jwt.decode(credential, options={"verify_signature": False})
    except (jwt.InvalidTokenError, UnicodeEncodeError):
        return False
    return claims.get("pub") is True


def _allows(scope: str, token_id: str) -> bool:
    completes, only = what_it_completes(scope)
    return completes and (only is None or only.removeprefix(PREFIX) == token_id.removeprefix(PREFIX))
