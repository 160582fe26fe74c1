"""The request to make a named key (contract Q5). `openapi.yaml` is generated from it."""

from typing import Any, get_args

from pydantic import Field

from waitpoints import timeouts
from waitpoints.access.api_keys import MAX_NAME, NAME_PATTERN, NamedKey, Scope, is_name
from waitpoints.access.caller import Action
from waitpoints.api.request_model import ABSENT, RequestModel, validate
from waitpoints.errors import InvalidApiKey
from waitpoints.idempotency_key import utf16_units
from waitpoints.token import MAX_TAG_LENGTH
from waitpoints.unknown_names import shown

ACTIONS: tuple[Action, ...] = get_args(Action.__value__)
UNTAGGED: Action = "endpoints"  # it covers all endpoints
MAX_BYTES = 512  # of all scopes of a key in UTF-8: all keys are in one item, which has at most 400 KB
MAX_DAYS = 3650
_DAY = 86_400_000  # milliseconds
_ACCEPTED = (
    'expected "create", "complete", "read", "notify", "deliveries" or "endpoints", each at most once. All but the last may end '
    f'in a colon and a tag, such as "create:team-a"; a tag has 1 to {MAX_TAG_LENGTH} characters'
)


class CreateKeyRequest(RequestModel):
    """An unknown field is refused, also from the SDK."""

    name: str = Field(
        description=f"1 to {MAX_NAME} letters, digits, `-`, `_` and `.`, of which the first is a letter or a digit.",
        examples=["nightly-job"],
        json_schema_extra={"pattern": f"^{NAME_PATTERN}$"},
    )
    scopes: list[str] = Field(
        description=(
            "What the key may do: `create`, `complete`, `read`, `notify` (which a create with `notify` also needs), "
            "`deliveries` (recorded ones) and `endpoints`, each at most once. All but the last may end in a colon and a tag, "
            "`create:team-a`, and then cover only tokens, or endpoints, with this tag, and write as `tags` and "
            f"`idempotencyKey` only names that are the tag or begin with it and a colon. At most {MAX_BYTES} bytes in all."
        ),
        examples=[["create:team-a", "read"]],
        json_schema_extra={"minItems": 1, "maxItems": len(ACTIONS)},
    )
    expires_in: str = Field(
        default=ABSENT,
        description=f"When the key ends: a duration from now, as in a token's `timeout`, at most {MAX_DAYS}d. Default: never.",
        examples=["90d"],
    )


def parse(value: Any, digest: str, now: int) -> NamedKey:
    """Return the key that a request's JSON value asks for, made `now`. `digest` is that of the key itself.

    Raises InvalidRequest for a field that is unknown, missing or of a wrong type, and InvalidApiKey for an impossible value.
    """
    wanted = validate(CreateKeyRequest, value)
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
