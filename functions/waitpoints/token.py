"""The waitpoint token and its parts, as immutable values. All times are epoch milliseconds, UTC."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

MAX_WAITERS = 100  # per token
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Status(StrEnum):
    """The API's statuses. A token leaves WAITING exactly once."""

    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True)
class Output:
    """A token's output: JSON exactly as received, inline or in the bucket.

    `stored_at` is the object key if the output is in the bucket. `json` is None if the output is absent (`complete`
    without `data`) or has not been loaded from the bucket.
    """

    json: str | None = None
    stored_at: str | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """The outcome of a token that was completed at the time `at`."""

    at: int
    output: Output = Output()
    status: ClassVar = Status.COMPLETED


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The outcome of a token that was not completed before its timeout `at`."""

    at: int
    status: ClassVar = Status.TIMED_OUT


Outcome = Completed | TimedOut
"""How a token ended."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """One paused execution. `unwrap` asks for the bare output instead of `{"ok": …}`."""

    task_token: str
    registered_at: int
    unwrap: bool = False

    @property
    def key(self) -> str:
        """Identifies this waiter on its token without revealing the task token."""
        return hashlib.sha256(self.task_token.encode()).hexdigest()[:16]


class ReplyKind(StrEnum):
    """Step Functions' reply to resuming a waiter.

    GONE: the task token is no longer valid. The execution was stopped, its state timed out or was retried with a new task
    token, or an earlier call resumed it but lost the response.
    """

    RESUMED = "RESUMED"
    GONE = "GONE"


@dataclass(frozen=True, slots=True)
class Reply:
    """Step Functions' recorded reply for one waiter, and its time."""

    kind: ReplyKind
    at: int


class KeyKind(StrEnum):
    """Who chose an idempotency key: the user, or the SDK for the retries of one request."""

    IDEMPOTENCY = "idempotency"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key that at most one live token holds, until `expires_at` (epoch milliseconds; None: no expiry).

    `request` is the same for all retries of one request, so a retry of the create gets the same response as the create.
    """

    text: str
    expires_at: int | None = None
    request: str | None = None
    kind: KeyKind = KeyKind.IDEMPOTENCY


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The token that already holds an idempotency key, since when, and whether a try of the same request created it."""

    token_id: str
    since: int
    same_request: bool


@dataclass(frozen=True, slots=True)
class EndlessKey:
    """An idempotency key without expiry: its item's id, the token that holds it, and since when."""

    name: str
    token_id: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """The options of a new token. `waiter` is registered in the same write."""

    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    key: IdempotencyKey | None = None
    waiter: Waiter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    id: str
    created_at: int
    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    idempotency_key_expires_at: int | None = None
    outcome: Outcome | None = None
    waiters: Mapping[str, Waiter] = field(default_factory=dict)
    replies: Mapping[str, Reply] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        return self.outcome.status if self.outcome else Status.WAITING

    def outcome_at(self, now: int) -> Outcome | None:
        """Return the outcome that every reader sees at `now`, or None while the token waits.

        A token counts as timed out from the first millisecond of its timeout, even before that is stored.
        """
        if self.outcome is None and self.timeout_at is not None and self.timeout_at <= now:
            return TimedOut(self.timeout_at)
        return self.outcome

    def undelivered(self) -> list[Waiter]:
        """Return the waiters without a recorded reply from Step Functions."""
        return [waiter for key, waiter in self.waiters.items() if key not in self.replies]


def iso(instant: int) -> str:
    """Format epoch milliseconds as the API does: ISO 8601 in UTC with milliseconds and `Z`."""
    return (_EPOCH + timedelta(milliseconds=instant)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
