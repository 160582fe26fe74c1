"""The requests to create a public access token. `openapi.yaml` is generated from them."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from waitpoints import timeouts
from waitpoints.access.caller import Caller
from waitpoints.access.credentials import what_it_completes
from waitpoints.api.request_model import RequestModel
from waitpoints.errors import Forbidden, InvalidTimeout

MAX_LIFETIME = 30 * 86_400  # seconds
ACTIONS = ("read", "write", "trigger", "batchTrigger", "admin", "*")
"""Trigger.dev's actions (`RbacScopeAction` and `buildJwtAbility` in its packages/plugins). Its types of resources grow."""
_SCOPES = "What the token allows, as `action:type` or `action:type:id`. Only those that complete waitpoints open anything here."
_SCOPE = rf"admin|({'|'.join(map(re.escape, ACTIONS))}):[A-Za-z]+(:.+)?"
_ONE_SCOPE = ["write:waitpoints:waitpoint_01jd3rj5v0000000000000000a"]
_EXPIRATION = 'A time in epoch seconds, or a duration from now such as "15m"; at most 30 days away.'
_EXPECTED = f"expected admin, action:type or action:type:id, such as write:waitpoints:<id>; actions: {', '.join(ACTIONS)}"


def _check_scope(text: str) -> str:
    """Raises ValueError unless it is a scope by Trigger.dev's grammar, whether or not it opens anything here."""
    if re.fullmatch(_SCOPE, text, re.DOTALL) is None:
        raise ValueError(_EXPECTED)
    return text


_Scope = Annotated[str, AfterValidator(_check_scope), Field(json_schema_extra={"pattern": f"^({_SCOPE})$"})]


class PublicTokenScopes(RequestModel):
    scopes: list[_Scope] = Field(default=[], description=_SCOPES, examples=[_ONE_SCOPE])


class CreatePublicTokenRequest(RequestModel):
    claims: PublicTokenScopes = Field(default=PublicTokenScopes())
    expiration_time: int | str = Field(default="1h", description=_EXPIRATION, examples=["15m"])


class MintPublicTokenRequest(RequestModel):
    scopes: list[_Scope] = Field(min_length=1, description=_SCOPES, examples=[_ONE_SCOPE])
    expiration_time: int | str = Field(default="15m", description=_EXPIRATION, examples=["15m"])


def check_within(caller: Caller, scopes: list[str]) -> None:
    """Check that a caller's key allows what its public access token shall. Raises Forbidden.

    The tag that limits a key is checked when a token is completed. A scope that completes nothing needs nothing: it opens no
    route, and the SDK's users ask for it.
    """
    tag = caller.only_tag("complete")
    for scope in scopes:
        completes, only = what_it_completes(scope)
        if completes and only is None and tag is not None:
            raise Forbidden(f"This key lacks the scope complete: with complete:{tag} it can allow write:waitpoints:<id> only")


def lifetime(expiration_time: int | str, now: int) -> int:
    """Return for how many seconds from `now` (epoch milliseconds) the token is valid. Raises InvalidTimeout."""
    if isinstance(expiration_time, str):
        seconds = timeouts.maybe_duration(expiration_time) // 1000
    else:
        seconds = expiration_time - now // 1000
    if not 0 < seconds <= MAX_LIFETIME:
        raise InvalidTimeout(
            'Invalid expirationTime: expected a time in epoch seconds or a duration such as "15m", in the next 30 days'
        )
    return seconds
