"""The interfaces to AWS that the core uses. `aws/` implements them, `tests/support/fakes` replaces them in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from waitpoints.listing import Filter, ReadRange
from waitpoints.token import EndlessKey, IdempotencyKey, KeyHolder, Output, Reply, Token, Waiter


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """The number of items read, and those that may need work: due tokens, settled tokens with waiters, keys without expiry."""

    items: int
    tokens: list[Token]
    keys: list[EndlessKey]


class TokenStore(Protocol):
    @property
    def retention(self) -> int:
        """Seconds for which a settled token is kept."""

    def create(
        self, token: Token, key: IdempotencyKey | None, now: int, *, removed_token: str | None = None
    ) -> KeyHolder | None:
        """Write a new token, or return the token that already holds `key` (invariant 3: one key, one live token).

        `removed_token` is the id of a holder that retention has removed: its key is free.
        """

    def get(self, token_id: str) -> Token:
        """Return the token with its replies, from a consistent read. Raises TokenNotFound."""

    def scan(self, segment: int, segments: int, now: int) -> Iterator[ScannedPage]:
        """Yield the pages of one of `segments` parts of the table, eventually consistent."""

    def release_key(self, key: EndlessKey) -> bool:
        """Delete an idempotency key if its token still holds it. Returns whether it deleted the key."""

    def partitions(self, wanted: Filter, now: int) -> list[ReadRange]:
        """Return a reader for each partition of the index that suits the filter best."""

    def complete(self, token_id: str, output: Output, now: int) -> tuple[bool, Token]:
        """Settle a waiting token as completed (invariant 1). Returns whether it did, and the token as it is now."""

    def time_out(self, token_id: str, now: int) -> tuple[bool, Token]:
        """Settle a due token as timed out (invariant 1). Returns whether it did, and the token as it is now."""

    def add_waiter(self, token_id: str, waiter: Waiter, now: int) -> tuple[bool, Token]:
        """Store a waiter on a waiting token (invariant 2). Returns whether it did, and the token as it is now."""

    def record_replies(self, token_id: str, replies: Mapping[str, Reply], now: int) -> None:
        """Record Step Functions' replies for some of a token's waiters."""


class Secret(Protocol):
    """A secret that may be rotated. What a version signed stays valid through one rotation."""

    def current(self) -> str:
        """Return the version to sign with."""

    def accepted(self) -> Iterator[str]:
        """Yield the versions to verify with, likeliest first."""
