"""Named keys: API keys with scopes, which the root key creates and revokes (contract Q1 to Q4).

A key is `tr_prod_sk_` and 24 characters of base62, of which the last six are a checksum of the others. If a key has this form,
Trigger.dev's SDK asks the server for public access tokens, and otherwise signs them with the key itself (its pattern is
`^tr_(dev|stg|prod|preview)_sk_[0-9a-zA-Z]{24}$`). Only the key's SHA-256 is stored.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Self, get_args

from waitpoints.access.caller import NAMED_KEY, Action, Caller
from waitpoints.json_text import Stored
from waitpoints.token import iso

MOST = 500  # keys of a stack: they are in one item
MAX_NAME = 64  # characters
NAME_PATTERN = f"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}"
ACTIONS: tuple[Action, ...] = get_args(Action.__value__)
MAX_BYTES = 512  # of all scopes of a key in UTF-8: all keys are in one item, which has at most 400 KB
MAX_DAYS = 3650
SHOWN_DIGITS = 16  # hexadecimal, of a key's digest: they name the key in public access tokens

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECKSUM = 18, 6  # characters
_FORM = re.compile(rf"{NAMED_KEY}([0-9A-Za-z]{{{_RANDOM}}})([0-9A-Za-z]{{{_CHECKSUM}}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key may do, to any token or only to those with a tag: `complete`, `complete:team-a`."""

    action: Action
    tag: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """Read what `str` writes. The text was checked when the key was made."""
        action, _, tag = text.partition(":")
        return cls(action, tag or None)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.action if self.tag is None else f"{self.action}:{self.tag}"


def _texts(scopes: Iterable[Scope]) -> list[str]:
    return list(map(str, scopes))


@dataclass(frozen=True, slots=True)
class NamedKey(Stored):
    """`digest` is the SHA-256 of the key, in 64 hexadecimal digits. It has at most one scope for each action."""

    name: Annotated[str, {"pattern": f"^{NAME_PATTERN}$"}]
    digest: str
    scopes: Annotated[tuple[Scope, ...], _texts, "What it may do: `create`, `complete:TAG`."]
    created_at: Annotated[int, iso]
    expires_at: Annotated[int | None, iso, "Absent if it never expires."] = None

    def has_expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    @property
    def caller(self) -> Caller:
        """Who holds the key, or a public access token that it has made."""
        return Caller(self.name, self.digest[:SHOWN_DIGITS], {scope.action: scope.tag for scope in self.scopes})


def is_name(text: str) -> bool:
    """Whether a key can have this name."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def new_key() -> str:
    """Return a new random key. 18 characters of base62 are 107 bits."""
    part = "".join(secrets.choice(_BASE62) for _ in range(_RANDOM))
    return f"{NAMED_KEY}{part}{_checksum(part)}"


def has_form(text: str) -> bool:
    """Whether a text is a key by its form and its checksum, so that it is worth a look into the table."""
    found = _FORM.fullmatch(text)
    return found is not None and found[2] == _checksum(found[1])


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(part: str) -> str:
    """Return the CRC-32 of a text in base62, six digits, the most significant first."""
    number, digits = zlib.crc32(part.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits
