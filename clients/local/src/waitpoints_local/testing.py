"""What a test of your own state machine works with. pytest has the fixture `machine` once this package is installed.

def test_it_is_approved(machine: Machine) -> None:
    run = machine("approval.asl.json", {"order": 1}, stand_ins={"NotifyFunction": {"sent": True}})
    run.waiting("Wait for approval").answer({"action": "approve"})
    assert run.output == {"approved": True}

Everything waits until it is so, or fails with the path that the run took.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

from waitpoints_local.machine.stand_ins import Fails, Returns

if TYPE_CHECKING:
    import httpx

    from waitpoints_local.machine.clock import Skipped

__all__ = ["Fails", "Machine", "Returns", "Run", "RunError", "State", "Token"]


class RunError(AssertionError):
    """A run did not do what the test asked for. The message says what it did instead."""

    def __init__(self, message: str, run: "Run | None" = None) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True)
class State:
    """One time that a run was in a state."""

    name: str
    items: tuple[int, ...]
    """The indexes of the Map items that it was a part of, the outermost first."""
    input: Any
    output: Any
    """None for a state that was not left."""
    error: str | None
    """The last error of its task, also one that a Retry or a Catch has dealt with."""
    cause: str | None
    failures: int
    """How often its task failed."""


class Token(Protocol):
    """A token that a state of the run waits for."""

    @property
    def id(self) -> str: ...

    @property
    def url(self) -> str:
        """A POST to it completes the token."""

    @property
    def links(self) -> Mapping[str, str]:
        """The link of each person who may answer its page, by their ids."""

    def answer(self, value: Any, *, by: str | None = None) -> None:
        """Answer as whoever the token is for: by its URL, or by the link of the approver `by`; with the API key if only a
        signature would do. A page asks for {"action": …}. Fails if the answer is refused.
        """

    def fail(self, message: str, *, name: str | None = None, code: str | None = None) -> None:
        """Fail the token: the state gets the error."""

    def time_out(self) -> None:
        """Let the token time out now, after its reminders and its escalation."""

    def post(self, body: Any, headers: Mapping[str, str] | None = None) -> "httpx.Response":
        """Post to the URL as a webhook's sender does, also for the second time: bytes and texts as they are, else JSON."""


class Run(Protocol):
    """A run of a state machine. It is stopped when the test ends."""

    @property
    def arn(self) -> str:
        """The ARN of its execution."""

    def waiting(self, state: str, item: int | tuple[int, ...] | None = None) -> Token:
        """Return the token that a state waits for, once it does. In a Map, `item` is the index; in nested Maps, the indexes."""

    def skip(self, time: str | float | timedelta) -> "list[Skipped]":
        """Let time pass for this run and its tokens, such as "4h", in a moment. Returns what was due within it."""

    @property
    def status(self) -> str:
        """SUCCEEDED, FAILED, TIMED_OUT or ABORTED, once it has ended."""

    @property
    def output(self) -> Any:
        """The output, once it has succeeded."""

    @property
    def error(self) -> str:
        """The name of the error, once it has failed."""

    @property
    def cause(self) -> str:
        """The cause of the error, once it has failed."""

    @property
    def states(self) -> Sequence[State]:
        """What each state got and gave, in the order in which they were entered, once the run has ended."""


class Machine(Protocol):
    """Starts runs: the fixture `machine`."""

    def __call__(
        self,
        path: str | PathLike[str],
        input: Any = ...,
        *,
        stand_ins: Mapping[str, Any] | None = None,
        values: Mapping[str, str] | None = None,
        timeout: str = "1h",
        page: Any = None,
    ) -> Run:
        """Start the state machine in a file: JSON, YAML, or `template.yaml#Name`. The path is from the test file's folder, or
        from pytest's root folder.

        `stand_ins` is what your functions return, by the names of their placeholders. A list with a `Fails` or a `Returns` in
        it has what each call comes to; the last one stays. `values` are those of other placeholders. `timeout` and `page` are
        those of the token that is put into the input if no state creates one.
        """
