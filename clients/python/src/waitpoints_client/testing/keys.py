"""The fake's named keys."""

import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waitpoints_client.testing import times
from waitpoints_client.testing.answers import Refusal, iso, refuse_unknown, without_none

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCOPE = re.compile(r"(create|complete|read|notify|deliveries)(?::(.{1,128}))?|endpoints", re.DOTALL)
_CODE = "InvalidApiKey"
_LONGEST = 3650 * 86_400_000  # milliseconds
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class FakeKey:
    """A named key, and the key itself."""

    name: str
    scopes: tuple[str, ...]
    key: str
    created_at: int
    expires_at: int | None

    def shown(self) -> dict[str, Any]:
        """Return it as the API does."""
        ends = {"createdAt": iso(self.created_at), "expiresAt": iso(self.expires_at)}
        return without_none({"name": self.name, "scopes": [*self.scopes], **ends})


class Keys:
    """All named keys, by name."""

    def __init__(self) -> None:
        self._all: dict[str, FakeKey] = {}

    def create(self, body: Mapping[str, Any], now: int) -> FakeKey:
        """Make a key. Raises Refusal."""
        refuse_unknown(body, ("name", "scopes", "expiresIn"))
        name, scopes = body.get("name"), body.get("scopes")
        if not isinstance(name, str) or not isinstance(scopes, list):
            raise Refusal(400, "Validation error: expected a name, and a list of scopes")
        _check(name, scopes)
        held = self._all.get(name)
        if held and not _has_ended(held, now):
            raise Refusal(409, "A key has this name: revoke it first, or choose another name", "ApiKeyNameTaken")
        made = "tr_prod_sk_" + "".join(secrets.choice(_ALPHABET) for _ in range(24))
        self._all[name] = FakeKey(name, tuple(scopes), made, now, _ends(body.get("expiresIn"), now))
        return self._all[name]

    def list_keys(self) -> list[FakeKey]:
        """Return all keys, by name."""
        return [self._all[name] for name in sorted(self._all)]

    def revoke(self, name: str) -> None:
        """Take a key away. Raises Refusal."""
        if self._all.pop(name, None) is None:
            raise Refusal(404, "Key not found", "ApiKeyNotFound")

    def is_key(self, text: str, now: int) -> bool:
        """Whether a text is one of the keys, which has not expired."""
        return any(key.key == text and not _has_ended(key, now) for key in self._all.values())


def _check(name: str, scopes: list[Any]) -> None:
    """Raises Refusal for what no key has."""
    if not _NAME.fullmatch(name):
        raise Refusal(422, 'Invalid name: expected 1 to 64 letters, digits, "-", "_" and ".", a letter or a digit first', _CODE)
    actions = [str(scope).partition(":")[0] for scope in scopes]
    wrong = [scope for scope in scopes if not (isinstance(scope, str) and _SCOPE.fullmatch(scope))]
    if wrong or not scopes or len({*actions}) < len(actions):
        accepted = '"create", "complete", "read", "notify", "deliveries" or "endpoints", each at most once'
        raise Refusal(422, f'Invalid scopes: expected {accepted}, and for one tag "create:team-a"', _CODE)


def _ends(text: Any, now: int) -> int | None:
    """Return when a key ends. Raises Refusal."""
    if text is None:
        return None
    length = times.duration(text)
    if not length or length > _LONGEST:
        raise Refusal(
            422, 'Invalid expiresIn: expected a duration such as "12h", "90d", "1w" (w, d, h, m, s), of at most 3650d', _CODE
        )
    return now + length


def _has_ended(key: FakeKey, now: int) -> bool:
    return key.expires_at is not None and key.expires_at <= now
