"""A recorded delivery: what an endpoint received, and what became of it. All times are epoch milliseconds, UTC."""

from collections.abc import Mapping
from dataclasses import dataclass

from waitpoints.endpoint import DeliveryKind
from waitpoints.errors import DeliveryNotFound
from waitpoints.ids import is_cursor, new_id
from waitpoints.json_text import Stored

PREFIX = "delivery_"
PENDING = "pending"  # beside the kinds of `DeliveryKind`: it is stored, and not processed yet
MAX_TEXT, MAX_DETAIL = 100, 200  # bytes of UTF-8, so that a row has at most 1 KB


def new_delivery_id(now: int) -> str:
    """Return `delivery_` and a ULID."""
    return new_id(now, PREFIX)


def parse_id(text: str) -> str:
    """Return the full id for an id with or without the prefix. Raises DeliveryNotFound for an invalid id."""
    ulid = text.removeprefix(PREFIX)
    if not is_cursor(ulid):
        raise DeliveryNotFound
    return PREFIX + ulid


def cut(text: str | None, limit: int = MAX_TEXT) -> str | None:
    """Cut a text to `limit` bytes. None if it is empty. A lone surrogate becomes "?"."""
    return text.encode("utf-8", "replace")[:limit].decode(errors="ignore") if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDelivery(Stored):
    """The row of a delivery. Its body, headers and query are in the bucket (`Contents`).

    `kind` is None while it is pending, and a text if only a later version knows it. `key` is the token's key that it named,
    `token_id` the token that it completed, made or found. `delivery_id` is the provider's id of its event, `repeat_of` the
    first recorded delivery with it. `resend_of` is the recorded delivery that this one sent again, `by` the named key that
    did. `size` is the body's, in bytes.
    """

    id: str
    at: int
    size: int
    expires_at: int  # epoch seconds, as TTL needs it
    kind: DeliveryKind | str | None = None
    key: str | None = None
    detail: str | None = None
    token_id: str | None = None
    delivery_id: str | None = None
    repeat_of: str | None = None
    resend_of: str | None = None
    by: str | None = None
    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Select deliveries that meet every condition. No kinds, or None, match every delivery.

    `kinds` may have PENDING. `key` and `delivery_id` are cut as in a row.
    """

    kinds: frozenset[str] = frozenset()
    key: str | None = None
    delivery_id: str | None = None

    @property
    def may_skip(self) -> bool:
        """What has expired is always skipped, but only at the end of a list."""
        return self != DeliveryFilter()


@dataclass(frozen=True, slots=True)
class Contents:
    """What was sent: headers with names in lower case, and the raw query, both without secrets; and the body."""

    headers: Mapping[str, str]
    raw_query: str
    body: bytes
