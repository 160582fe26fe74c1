"""A recorded delivery: what an endpoint received, and what became of it. All times are epoch milliseconds, UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from waitpoints import ids
from waitpoints.endpoint import DeliveryKind
from waitpoints.errors import DeliveryNotFound
from waitpoints.json_text import Called, Stored
from waitpoints.token import iso

PREFIX = "delivery_"
FORM = ids.form(PREFIX)
PENDING = "pending"  # beside the kinds of `DeliveryKind`: it is stored, and not processed yet
MAX_TEXT, MAX_DETAIL = 100, 200  # bytes of UTF-8, so that a row has at most 1 KB


def new_delivery_id(now: int) -> str:
    """Return `delivery_` and a ULID."""
    return ids.new_id(now, PREFIX)


def parse_id(text: str) -> str:
    """Return the full id for an id with or without the prefix. Raises DeliveryNotFound for an invalid id."""
    ulid = text.removeprefix(PREFIX)
    if not ids.is_cursor(ulid):
        raise DeliveryNotFound
    return PREFIX + ulid


def cut(text: str | None, limit: int = MAX_TEXT) -> str | None:
    """Cut a text to `limit` bytes. None if it is empty. A lone surrogate becomes "?"."""
    return text.encode("utf-8", "replace")[:limit].decode(errors="ignore") if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDelivery(Stored):
    """The row of a delivery. Its body, headers and query are in the bucket (`Contents`).

    `kind` is None while it is pending, and a text if only a later version knows it.
    """

    id: Annotated[str, FORM]
    kind: Annotated[DeliveryKind | str | None, "As which kind it was counted. `pending`: it is not processed yet."] = None
    at: Annotated[int, iso, Called("createdAt"), "When it came, or was sent again."]
    expires_at: int  # epoch seconds, as TTL needs it
    size: Annotated[int, {"ge": 0}, "Bytes of its body."]
    key: Annotated[str | None, "The token's key that it named, cut to 100 bytes, as the texts below."] = None
    detail: Annotated[str | None, "Why it did not complete a token. It has up to 200 bytes."] = None
    token_id: Annotated[str | None, ids.form(), "The token that it completed, made or found."] = None
    delivery_id: Annotated[str | None, "The provider's own id of the event."] = None
    repeat_of: Annotated[str | None, FORM, "The first recorded delivery of this event."] = None
    resend_of: Annotated[str | None, FORM, "The delivery that was sent again."] = None
    by: Annotated[str | None, Called("resentBy"), "The name of the named key that sent it again."] = None
    ip: Annotated[str | None, "The address that it came from."] = None
    user_agent: Annotated[str | None, "Its `User-Agent`."] = None


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
