"""A run of a state machine under test: each question waits for its answer, or fails with the path that the run took."""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from waitpoints_client import APIError, calls
from waitpoints_client.wire import read_duration

from waitpoints_local.clocks import Skipped
from waitpoints_local.machine import clock, path_taken, routes
from waitpoints_local.machine.definition import waiting_states
from waitpoints_local.machine.history import Event, Location
from waitpoints_local.machine.reply_plan import Answers, TimeOut, To
from waitpoints_local.machine.rest import Rest
from waitpoints_local.machine.tasks import TaskToken
from waitpoints_local.machine.visits import State
from waitpoints_local.webhook_signer import CannotSign

if TYPE_CHECKING:
    import httpx
    from waitpoints_client import models
    from waitpoints_client.cli.outbox import Mail

    from waitpoints_local.machine.fitting_output import Completion
    from waitpoints_local.machine.run import MachineRun

FIRST_PAUSE, LONGEST_PAUSE, PAUSE_FACTOR = 0.03, 0.25, 1.3  # seconds between two polls of the run
OTHER_WAYS = "post(…) sends any delivery and returns the answer, and complete(…) ends the token with the API key"
Found = TypeVar("Found")
_DURATION = re.compile(r"(?:[0-9]+[wdhms])+")


class RunError(AssertionError):
    """A run did not do what the test asked for. The message says what it did instead."""

    def __init__(self, message: str, run: "Run | None" = None) -> None:
        super().__init__(message)
        self.run = run


class Run:
    """A run of a state machine. It is stopped when the test ends."""

    def __init__(self, run: "MachineRun", name: str, patience: float, file: Callable[[], Path] | None = None) -> None:
        """`patience` is for how many seconds each question waits. A failure writes all values into the file."""
        self.name = name
        self._run = run
        self._patience = patience
        self._file = file

    @property
    def arn(self) -> str:
        """The ARN of its execution."""
        return self._run.execution

    def waiting(self, state: str, item: int | tuple[int, ...] | None = None) -> "Token":
        """Return the token that a state waits for, once it does. In a Map, `item` is the index; in nested Maps, the indexes."""
        __tracebackhide__ = True
        location = Location(state, () if item is None else item if isinstance(item, tuple) else (item,))
        self._check_may_wait(location)
        return self._until(lambda: self._find_waiting(location), f"{path_taken.named(location)} waits for no token")

    def skip(self, time: str | float | timedelta) -> list[Skipped]:
        """Let time pass for this run and its tokens, such as "4h", in a moment. Returns what was due within it."""
        __tracebackhide__ = True
        if isinstance(time, str) and not _DURATION.fullmatch(time):
            raise ValueError(f'{time!r} is no time: write "90s", "4h" or "1d12h" (w, d, h, m, s)')
        seconds = read_duration(time) if isinstance(time, str) else time
        seconds = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        try:
            skipped = clock.skip(self._run.stack, self.arn, seconds)
        except clock.ClockProblem as problem:
            raise self.failure(f"{time} could not be skipped: {problem}") from None
        self._poll()
        return skipped

    @property
    def status(self) -> str:
        """SUCCEEDED, FAILED, TIMED_OUT or ABORTED, once it has ended."""
        __tracebackhide__ = True
        return self._end().kind

    @property
    def output(self) -> Any:
        """The output, once it has succeeded."""
        __tracebackhide__ = True
        end = self._end()
        if end.kind != "SUCCEEDED":
            raise self.failure(f"The run has no output: it {path_taken.how_it_ended(self._run)}")
        return json.loads(end.output or "null")

    @property
    def error(self) -> str:
        """The name of the error, once it has failed."""
        __tracebackhide__ = True
        return self._failed().error or ""

    @property
    def cause(self) -> str:
        """The cause of the error, once it has failed."""
        __tracebackhide__ = True
        return self._failed().cause or ""

    @property
    def states(self) -> list[State]:
        """What each state got and gave, in the order in which they were entered, once the run has ended."""
        __tracebackhide__ = True
        self._end()
        return self._run.states

    @property
    def mails(self) -> "list[Mail]":
        """The mails about its tokens so far, in the order in which they were sent. Those that are due are sent first. A token
        without `notify` has none.
        """
        from waitpoints_local.machine import mails  # noqa: PLC0415 - only for tests that use it

        self._poll()
        completions = [event.completion for event in self._run.events if event.completion]
        tokens = {it.token.id for it in completions if not isinstance(it, TaskToken)}
        return mails.read(self._run.stack, self._run.waitpoints, tokens)

    def describe(self) -> str:
        """Return the path that it took, with what each state changed."""
        return path_taken.describe(self._run, self._file() if self._file else None)

    def failure(self, reason: str) -> RunError:
        return RunError(f"{reason}\n\n{self.describe()}", self)

    def _failed(self) -> Event:
        __tracebackhide__ = True
        end = self._end()
        if end.kind == "SUCCEEDED":
            raise self.failure(f"The run has no error: it {path_taken.how_it_ended(self._run)}")
        return end

    def _end(self) -> Event:
        __tracebackhide__ = True
        return self._until(lambda: self._run.end, "The run has not ended")

    def _until(self, found: Callable[[], Found | None], missing: str) -> Found:
        """Poll the run until something is found. `missing` says what is wrong if it never is."""
        __tracebackhide__ = True
        until, pause, rest = time.monotonic() + self._patience, FIRST_PAUSE, Rest(self._run, self._patience)
        while (it := found()) is None:
            if self._run.end:
                raise self.failure(f"{missing}: the run {path_taken.how_it_ended(self._run)}")
            if rest.lasts():
                raise self.failure(f"{missing}: nothing happens in the run, which {path_taken.where_it_is(self._run)}")
            if time.monotonic() > until:
                raise self.failure(f"{missing}: after {self._patience:g} s the run {path_taken.where_it_is(self._run)}")
            self._poll()
            time.sleep(pause)
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE)
        return it

    def _poll(self) -> None:
        for _ in self._run.poll():
            pass

    def _check_may_wait(self, location: Location) -> None:
        """Fail for a state that never waits, and without the items of the Maps that it is in."""
        __tracebackhide__ = True
        states = waiting_states(self._run.definition.machine)
        asked = Answers()
        asked.add(To(location.state, location.items or None), TimeOut())
        if problem := asked.find_wrong(states):
            raise RunError(problem, self)
        if maps := states[location.state or ""] - len(location.items):
            items = "item=0" if maps == 1 else f"item=({', '.join('0' * maps)})"
            raise RunError(f'"{location.state}" is in a Map: say which item of it, such as {items}', self)

    def _find_waiting(self, location: Location) -> "Token | None":
        completion = self._run.waiting.get(location)
        if isinstance(completion, TaskToken):
            return OtherToken(self, location, completion)
        if completion is None or self._run.waitpoints.get(completion.token).status != "WAITING":
            return None
        return Token(self, location, completion)


class Token:
    """A token that a state of the run waits for."""

    def __init__(self, run: Run, location: Location, completion: "Completion") -> None:
        self._live, self._run = run, run._run
        self._location, self._completion = location, completion

    @property
    def id(self) -> str:
        return self._completion.token.id

    @property
    def url(self) -> str:
        """A POST to it completes the token."""
        return self._completion.token.url

    @property
    def links(self) -> Mapping[str, str]:
        """The link of each person who may answer its page, by their ids."""
        return {link.approver: link.url for link in self._read().links}

    def answer(self, value: Any, *, by: str | None = None) -> None:
        """Answer as the one whom the token is for: by its URL, signed if it has `verify`, or by the link of the approver `by`.
        A page asks for {"action": …}. Raises RunError if a rule of the token refuses the answer, or if it does not match.
        """
        __tracebackhide__ = True
        token = self._read()
        people = ", ".join(routes.people(token))
        if people and by is None:
            raise self._refused(f"say who answers, with by=…: {people}")
        if token.status != "WAITING":
            raise self._refused(f"it has ended before: it is {token.status}")
        try:
            routes.deliver(self._run.stack, self._run.waitpoints, self._completion, value, by)
        except routes.Refused as refused:
            raise self._refused(f"{str(refused).removesuffix('.')}. {OTHER_WAYS}") from None

    def complete(self, value: Any) -> None:
        """Complete the token with the API key, which `verify` and `completeWhen` do not check."""
        __tracebackhide__ = True
        self._settle(calls.complete(self.id, value))

    def fail(self, message: str, *, name: str | None = None, code: str | None = None) -> None:
        """Fail the token: the state gets the error."""
        __tracebackhide__ = True
        self._settle(calls.fail(self.id, message, name, code))

    def _settle(self, call: "calls.Call[models.Completion]") -> None:
        __tracebackhide__ = True
        try:
            settled = self._run.waitpoints.send(call).settled
        except APIError as error:
            raise self._refused(str(error)) from None
        if not settled:
            raise self._refused(f"it has ended before: it is {self._read().status}")

    def heartbeat(self) -> None:
        """Only for a task token that is sent to something else."""
        __tracebackhide__ = True
        raise RunError(
            f"{path_taken.named(self._location)} waits for a token of Waitpoints, which sends no heartbeats", self._live
        )

    def time_out(self) -> None:
        """Let the token time out now, after its reminders and its escalation."""
        __tracebackhide__ = True
        try:
            clock.time_out(self._run.stack, self.id)
        except clock.ClockProblem as problem:
            raise self._live.failure(f"The token of {path_taken.named(self._location)} did not time out: {problem}") from None

    def post(self, body: Any, headers: Mapping[str, str] | None = None, *, signed: bool = False) -> "httpx.Response":
        """Post to the URL as a webhook provider does, also for the second time: bytes and texts as they are, else JSON.

        `signed` is as the token's `verify` asks for it.
        """
        __tracebackhide__ = True
        sent = routes.delivery(self.url, body, headers)
        try:
            return routes.post(routes.sign(self._run.stack, self.id, sent) if signed else sent)
        except CannotSign as problem:
            raise self._live.failure(f"The delivery to {path_taken.named(self._location)} is not signed: {problem}") from None

    def _read(self) -> "models.Token":
        return self._run.waitpoints.get(self.id)

    def _refused(self, reason: str) -> RunError:
        return self._live.failure(f"The token of {path_taken.named(self._location)} did not take the answer: {reason}")


class OtherToken(Token):
    """A task token that a state waits for, and that is sent to something else than this stack: a function, a queue, …"""

    def __init__(self, run: Run, location: Location, token: TaskToken) -> None:
        self._live, self._run, self._location, self._token = run, run._run, location, token

    @property
    def id(self) -> str:
        """The task token itself."""
        return self._token.id

    @property
    def url(self) -> str:
        raise self._not_ours("URL")

    @property
    def links(self) -> Mapping[str, str]:
        raise self._not_ours("links")

    def answer(self, value: Any, *, by: str | None = None) -> None:
        """Answer it, as what gets the task token does with SendTaskSuccess."""
        __tracebackhide__ = True
        if by is not None:
            raise self._not_ours("approvers")
        self._send("success", output=json.dumps(value, ensure_ascii=False))

    def complete(self, value: Any) -> None:
        """Do as `answer` does: nothing checks the value."""
        __tracebackhide__ = True
        self.answer(value)

    def fail(self, message: str, *, name: str | None = None, code: str | None = None) -> None:
        """Fail it with SendTaskFailure: `name` is the error, `message` the cause."""
        __tracebackhide__ = True
        if code is not None:
            raise self._not_ours("code")
        self._send("failure", cause=message, **({"error": name} if name else {}))

    def heartbeat(self) -> None:
        """Begin the state's HeartbeatSeconds anew."""
        __tracebackhide__ = True
        self._send("heartbeat")

    def time_out(self) -> None:
        """Let the state's TimeoutSeconds or HeartbeatSeconds run out now, whichever comes first."""
        __tracebackhide__ = True
        try:
            self._run.time_out(self._location, self._token)
        except clock.ClockProblem as problem:
            raise self._live.failure(f"{path_taken.named(self._location)} did not time out: {problem}") from None
        self._run.waiting.pop(self._location, None)

    def _send(self, what: str, **said: str) -> None:
        __tracebackhide__ = True
        try:
            routes.send(self._run.step_functions, what, self._token, **said)
        except routes.Refused as refused:
            raise self._refused(str(refused)) from None
        if what != "heartbeat":
            self._run.waiting.pop(self._location, None)

    def _not_ours(self, what: str) -> RunError:
        return RunError(f"{path_taken.named(self._location)} waits for a task token, which has no {what}", self._live)
