"""The waitpoint token and what belongs to it, as values. Instants are epoch milliseconds, UTC."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Status(StrEnum):
    """The API's statuses (contract 1). A token leaves WAITING once and for ever."""

    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True)
class Output:
    """What a token was completed with: JSON exactly as received, here or in the bucket.

    `json` is None when the output is absent (`complete` without `data`) or when only `stored_at`, the key of the
    object that holds it, is at hand.
    """

    json: str | None = None
    stored_at: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a token ended: completed with an output, or timed out at its timeout."""

    status: Status
    settled_at: int
    output: Output = Output()


@dataclass(frozen=True, slots=True)
class Waiter:
    """One paused execution. `unwrap` asks for the bare output instead of `{"ok": …}`."""

    task_token: str
    registered_at: int
    unwrap: bool = False

    @property
    def key(self) -> str:
        """Names this waiter on its token without giving the task token away."""
        return hashlib.sha256(self.task_token.encode()).hexdigest()[:16]


class Answer(StrEnum):
    """What Step Functions said about a waiter that was told its outcome.

    GONE: that task token is used up. The execution was stopped, its state timed out or was retried under a newer task
    token, or an earlier answer that resumed it was lost on the way.
    """

    RESUMED = "RESUMED"
    GONE = "GONE"


@dataclass(frozen=True, slots=True)
class Delivery:
    """That Step Functions answered for a waiter, and when."""

    answer: Answer
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    id: str
    created_at: int
    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    idempotency_key_expires_at: int | None = None
    settled: Outcome | None = None
    waiters: Mapping[str, Waiter] = field(default_factory=dict)
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)

    def outcome(self, now: int) -> Outcome | None:
        """How this token ended as everybody sees it at `now`, or None while it waits.

        From the first millisecond of its timeout a token is timed out, whether or not that has been written yet.
        """
        if self.settled is None and self.timeout_at is not None and self.timeout_at <= now:
            return Outcome(Status.TIMED_OUT, self.timeout_at)
        return self.settled

    def undelivered(self) -> list[Waiter]:
        """The waiters for which no answer of Step Functions is recorded."""
        return [waiter for key, waiter in self.waiters.items() if key not in self.deliveries]


def iso(instant: int) -> str:
    """An instant as the API writes it: ISO 8601 in UTC with milliseconds and `Z`."""
    return (_EPOCH + timedelta(milliseconds=instant)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
