"""Parse the request to make a named key (contract Q5)."""

from typing import Any

from waitpoints import timeouts
from waitpoints.access.api_keys import ACTIONS, MAX_BYTES, MAX_DAYS, MAX_NAME, NamedKey, Scope, is_name
from waitpoints.access.caller import Action
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.api_key import CREATE_KEY_REQUEST
from waitpoints.errors import InvalidApiKey
from waitpoints.idempotency_key import utf16_units
from waitpoints.token import MAX_TAG_LENGTH
from waitpoints.unknown_names import shown

UNTAGGED: Action = "endpoints"  # it covers all endpoints
_DAY = 86_400_000  # milliseconds
_ACCEPTED = (
    'expected "create", "complete", "read", "notify", "delete", "deliveries" or "endpoints", each at most once. '
    f'All but the last may end in a colon and a tag, such as "create:team-a"; a tag has 1 to {MAX_TAG_LENGTH} characters'
)


def parse(value: Any, digest: str, now: int) -> NamedKey:
    """Return the key that a request's JSON value asks for, made `now`. `digest` is that of the key itself.

    Raises InvalidRequest for a field that is unknown, missing or of a wrong type, and InvalidApiKey for an impossible value.
    """
    wanted = validate(CREATE_KEY_REQUEST, value)
    if not is_name(wanted.name):
        raise InvalidApiKey(
            f'Invalid name: expected 1 to {MAX_NAME} letters (a-z, A-Z), digits, "-", "_" and ".", a letter or a digit first'
        )
    expires_at = None
    if wanted.expires_in is not None:
        lifetime = timeouts.maybe_duration(wanted.expires_in)
        if not 0 < lifetime <= MAX_DAYS * _DAY:
            raise InvalidApiKey(
                f'Invalid expiresIn: expected a duration such as "12h", "90d", "1w" (w, d, h, m, s), of at most {MAX_DAYS}d'
            )
        expires_at = now + lifetime
    scopes = tuple(map(_scope, wanted.scopes))
    actions = [scope.action for scope in scopes]
    if not scopes:
        raise _refused("none is given")
    if twice := [action for action in actions if actions.count(action) > 1]:
        raise _refused(f'"{twice[0]}" comes twice')
    if len("".join(wanted.scopes).encode()) > MAX_BYTES:
        raise InvalidApiKey(f"Invalid scopes: they have more than {MAX_BYTES} bytes in all, which is the limit")
    return NamedKey(wanted.name, digest, scopes, now, expires_at)


def _scope(text: str) -> Scope:
    action, colon, tag = text.partition(":")
    if action not in ACTIONS:
        raise _refused(f'"{shown(text)}" is not a scope')
    if colon and action == UNTAGGED:
        raise _refused(f'"{action}" takes no tag')
    if colon and not 1 <= utf16_units(tag) <= MAX_TAG_LENGTH:
        raise _refused(f'the tag of "{action}" has {utf16_units(tag):,} characters')
    return Scope.of(text)


def _refused(reason: str) -> InvalidApiKey:
    return InvalidApiKey(f"Invalid scopes: {reason}; {_ACCEPTED}")
