"""What the core needs from AWS. `aws/` keeps these promises with AWS, `tests/support/fakes` in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from waitpoints.listing import Filter, ReadRange
from waitpoints.token import EndlessKey, IdempotencyKey, KeyHolder, Output, Reply, Token, Waiter


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """How many items were read, and those that may need attention: due tokens, settled ones with waiters, endless keys."""

    items: int
    tokens: list[Token]
    keys: list[EndlessKey]


class TokenStore(Protocol):
    @property
    def retention(self) -> int:
        """Seconds for which a settled token can still be retrieved."""

    def create(
        self, token: Token, key: IdempotencyKey | None, now: int, *, removed_token: str | None = None
    ) -> KeyHolder | None:
        """Write a new token, or return the token that already holds `key` (invariant 3: one key, one live token).

        `removed_token` is the id of a holder that retention has removed: its key is free.
        """

    def get(self, token_id: str) -> Token:
        """The token with its replies, read consistently. Raises TokenNotFound."""

    def scan(self, segment: int, segments: int, now: int) -> Iterator[ScannedPage]:
        """One of `segments` parts of the table, eventually consistent, page by page."""

    def release_key(self, key: EndlessKey) -> bool:
        """Delete an idempotency key if its token still holds it. Returns whether it did."""

    def partitions(self, wanted: Filter, now: int) -> list[ReadRange]:
        """The partitions of the index that answers a filter best, each ready to be read range by range."""

    def complete(self, token_id: str, output: Output, now: int) -> tuple[bool, Token]:
        """Settle a waiting token as completed (invariant 1). Returns whether it did, and the token as it is now."""

    def time_out(self, token_id: str, now: int) -> tuple[bool, Token]:
        """Settle a due token as timed out (invariant 1). Returns whether it did, and the token as it is now."""

    def add_waiter(self, token_id: str, waiter: Waiter, now: int) -> tuple[bool, Token]:
        """Store a waiter on a waiting token (invariant 2). Returns whether it did, and the token as it is now."""

    def record_replies(self, token_id: str, replies: Mapping[str, Reply], now: int) -> None:
        """Record Step Functions' replies for some of a token's waiters."""


class Secret(Protocol):
    """A secret that may be rotated: what was made with a version outlives one rotation of it."""

    def current(self) -> str:
        """The version that new things are made with."""

    def accepted(self) -> Iterator[str]:
        """The versions that old things may have been made with, likeliest first."""
