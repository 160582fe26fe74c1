"""What the core needs of AWS and of time: values, and interfaces that have several implementations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from waitpoints.token import ReplyKind
from waitpoints.waiter_result import Failure, Success

Clock = Callable[[], int]
"""Now, in epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to where a shard of the due index was read: all entries before `due_at`, and those at `due_at` up to a token.

    `after` is the id of this token, or "" if none at `due_at` was read.
    """

    due_at: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """A token, and when its timer fires."""

    token_id: str
    due_at: int


class WaitService(Protocol):
    """Resumes the waiters of one kind."""

    def resume(self, handle: str, result: Success | Failure) -> ReplyKind:
        """Send a waiter its result in one call. Raises CannotResumeNow, CannotResume or OutputRefused."""


class WaitServices(Protocol):
    """The resumer of each kind of waiter. Each is made when it is first used."""

    @property
    def step_functions(self) -> WaitService: ...

    @property
    def durable_functions(self) -> WaitService: ...


class Secret(Protocol):
    """A secret that may be rotated. What a version signed stays valid through one rotation."""

    def read_current(self) -> str:
        """Return the version to sign with."""

    def read_accepted(self) -> Iterator[str]:
        """Yield the versions to verify with, likeliest first."""

    def read_latest(self) -> Iterator[str]:
        """Yield the current version. If the caller asks on, yield what is current now, if that is another one."""
