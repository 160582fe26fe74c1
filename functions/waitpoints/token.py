"""The waitpoint token and what belongs to it, as values. Instants are epoch milliseconds, UTC."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

MAX_WAITERS = 100  # of one token
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Status(StrEnum):
    """The API's statuses. A token leaves WAITING exactly once."""

    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True)
class Output:
    """What a token was completed with: JSON exactly as received, inline or in the bucket.

    `json` is None when the output is absent (`complete` without `data`), or when it has not been loaded from
    `stored_at`, the key of the object that holds it.
    """

    json: str | None = None
    stored_at: str | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """The outcome of a token that was completed with an output at the instant `at`."""

    at: int
    output: Output = Output()
    status: ClassVar = Status.COMPLETED


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The outcome of a token that was not completed before its timeout, `at`."""

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
    """What Step Functions said about a waiter that was told its outcome.

    GONE: the task token is used up. The execution was stopped, its state timed out or was retried under a newer task
    token, or an earlier call resumed it and the answer to that call was lost.
    """

    RESUMED = "RESUMED"
    GONE = "GONE"


@dataclass(frozen=True, slots=True)
class Reply:
    """Step Functions' recorded answer for one waiter, and when it came."""

    kind: ReplyKind
    at: int


class KeyKind(StrEnum):
    """Who chose an idempotency key: the user, or the SDK for the retries of one request."""

    IDEMPOTENCY = "idempotency"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A name that at most one live token holds, until `expires_at` (epoch milliseconds) or, if None, without end.

    `request` identifies one request across its retries, so that a retry of the request that made the token gets the
    same answer as the request itself.
    """

    text: str
    expires_at: int | None = None
    request: str | None = None
    kind: KeyKind = KeyKind.IDEMPOTENCY


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The token that already holds an idempotency key, since when, and whether the same request made it."""

    token_id: str
    since: int
    same_request: bool


@dataclass(frozen=True, slots=True)
class EndlessKey:
    """An idempotency key without expiry: the name under which it is stored, its token, and since when it has held it."""

    name: str
    token_id: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a caller asks for when it creates a token. `waiter` starts waiting for it in the same write."""

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
        """The outcome that every reader sees at `now`, or None while the token waits.

        From the first millisecond of its timeout a token is timed out, even before that has been written.
        """
        if self.outcome is None and self.timeout_at is not None and self.timeout_at <= now:
            return TimedOut(self.timeout_at)
        return self.outcome

    def undelivered(self) -> list[Waiter]:
        """The waiters without a recorded reply of Step Functions."""
        return [waiter for key, waiter in self.waiters.items() if key not in self.replies]


def iso(instant: int) -> str:
    """An instant as the API writes it: ISO 8601 in UTC with milliseconds and `Z`."""
    return (_EPOCH + timedelta(milliseconds=instant)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
