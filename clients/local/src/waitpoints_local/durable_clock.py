"""Let time pass for a durable execution of the local run: the execution becomes older, with all that it waits for.

The machine's own clock stays, as for tokens. `clock_route.py` has the route.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappush
from typing import Any

from waitpoints_local.clocks import HEARTBEAT, RETRY, TIMEOUT, WAIT, Coming, Skipped

Record = dict[str, Any]
EXECUTION_TIMEOUT = "ExecutionTimeout"
_TIMERS = {
    "WAIT": ("WaitDetails", {"ScheduledEndTimestamp": WAIT}),
    "STEP": ("StepDetails", {"NextAttemptTimestamp": RETRY}),
    "CALLBACK": ("CallbackDetails", {"TimeoutDeadline": TIMEOUT, "HeartbeatDeadline": HEARTBEAT}),
}
"""What each kind of operation waits for by itself: instants of its details, and what they are called."""
_INSTANTS = ("StartTimestamp", "EndTimestamp", "EventTimestamp", "_TimeoutDeadline")
_WAIT_FOR_CALLBACK = "WaitForCallback"  # AWS's SDK names the context of such a wait as its caller does


@dataclass(frozen=True)
class Timer:
    """Something that ends by itself. `details` has its instant as `key`."""

    name: str
    what: str
    details: Record
    key: str

    @property
    def id(self) -> tuple[int, str]:
        return id(self.details), self.key

    @property
    def until(self) -> float:
        return float(self.details[self.key])


@dataclass
class DurableClock:
    """The clock of one durable execution. It is always held: what is due is due by the machine's clock."""

    record: Record
    is_at_work: Callable[[], bool]
    """Whether an invocation of it runs or begins."""
    wake: Callable[[], None]
    """Do what is due."""
    _passed: Counter[tuple[int, str]] = field(default_factory=Counter)
    """For how many seconds of what is waited for time was skipped, by timers' ids."""
    _skipped: list[Skipped] = field(default_factory=list)

    def now(self) -> float:
        return time.time()

    def hold(self, lease: float) -> None:
        """Nothing is held."""

    def release(self) -> None:
        """Nothing was held."""

    @property
    def rests(self) -> bool:
        """Whether no invocation runs, and nothing is due that begins one."""
        return not (self.is_at_work() or self._has_news() or any(timer.until <= time.time() for timer in self._timers()))

    def coming(self) -> list[Coming]:
        now, timers = time.time(), sorted(self._timers(), key=lambda timer: timer.until)
        return [Coming(it.name, it.what, max(0, it.until - now)) for it in timers]

    def move(self, seconds: float, lease: float) -> float:  # noqa: ARG002 - as Clock's
        """Make the execution older, until the next instant at which something of it ends. Returns by how many seconds."""
        timers, now = list(self._timers()), time.time()
        moved = max(0, min([seconds, *(timer.until - now for timer in timers)]))
        _age(self.record, moved)
        for timer in timers:
            timer.details[timer.key] -= moved if timer.key not in _INSTANTS else 0
            self._passed[timer.id] += moved  # type: ignore[assignment]  # a Counter also counts parts
        ended = [timer for timer in timers if timer.until <= time.time()]
        self._skipped += [Skipped(it.name, it.what, self._passed.pop(it.id)) for it in ended]
        if ended:
            self.wake()
        return moved

    def take_skipped(self, *, is_last: bool) -> list[Skipped]:
        """Return what was skipped since the last call. The last one has also the waits that go on after it."""
        taken, self._skipped = self._skipped, []
        for timer in self._timers() if is_last else ():
            passed = self._passed.pop(timer.id, 0)
            taken += [Skipped(timer.name, timer.what, passed)] if passed and timer.what in (WAIT, RETRY) else []
        return taken

    def handles(self) -> list[tuple[str, str]]:
        """Return the ids of the callbacks that are waited for, each with its name."""
        found = [it for it in self.record["Operations"] if it["Type"] == "CALLBACK" and it["Status"] == "STARTED"]
        return [(it["CallbackDetails"]["CallbackId"], self._name(it)) for it in found]

    def _has_news(self) -> bool:
        """Whether a callback has ended that no invocation has seen."""
        return any(
            it["Type"] == "CALLBACK" and it["Status"] in ("SUCCEEDED", "FAILED") and not it["CallbackDetails"].get("_replayed")
            for it in self.record["Operations"]
        )

    def _timers(self) -> Iterator[Timer]:
        if "_TimeoutDeadline" in self.record:
            yield Timer("", EXECUTION_TIMEOUT, self.record, "_TimeoutDeadline")
        for operation in self.record["Operations"]:
            member, keys = _TIMERS.get(operation["Type"], ("", {}))
            details = operation.get(member, {})
            for key, what in keys.items() if operation["Status"] == "STARTED" else ():
                if details.get(key) is not None:
                    yield Timer(self._name(operation), what, details, key)

    def _name(self, operation: Record) -> str:
        parent: Record = next((it for it in self.record["Operations"] if it["Id"] == operation.get("ParentId")), {})
        is_part = parent.get("SubType") == _WAIT_FOR_CALLBACK
        return str((parent if is_part else operation).get("Name") or operation["Type"])


def _age(record: Record, seconds: float) -> None:
    """Move the instants of an execution, its operations and its events back."""
    invocations = (it["InvocationCompletedDetails"] for it in record["History"] if "InvocationCompletedDetails" in it)
    for part in (record, *record["Operations"], *record["History"], *invocations):
        for name in _INSTANTS:
            if part.get(name) is not None:
                part[name] -= seconds


class DurableExecution:
    """A durable execution as the clock's route sees each execution."""

    def __init__(self, record: Record, clock: DurableClock) -> None:
        self._record, self._clock = record, clock

    @property
    def status(self) -> str:
        return str(self._record["Status"])

    @property
    def clock(self) -> DurableClock | None:
        return self._clock if self.status == "RUNNING" else None

    def told(self) -> str:
        """Return a text with everything that it was given and that its steps have returned."""
        return json.dumps([self._record["InputPayload"], self._record["Operations"]])


class DurableExecutions:
    """The durable executions of the emulator, by their ARNs."""

    def __init__(self, lambda_durable: Any, is_at_work: Callable[[str], bool]) -> None:
        self._durable, self._is_at_work = lambda_durable, is_at_work
        self._clocks: dict[str, DurableClock] = {}

    def find(self, arn: str) -> DurableExecution | None:
        record = next((it for it in self._durable._executions.to_dict().values() if it["DurableExecutionArn"] == arn), None)
        if record is None:
            return None
        clock = self._clocks.setdefault(arn, DurableClock(record, lambda: self._is_at_work(arn), lambda: self._wake(arn)))
        return DurableExecution(record, clock)

    def _wake(self, arn: str) -> None:
        """Let MiniStack look at an execution now."""
        scope = self._durable._scope_from_execution_arn(arn, "")
        with self._durable._resume_lock:
            heappush(self._durable._resume_queue, (time.time(), arn, *scope))
        self._durable._resume_event.set()
        self._durable._ensure_resume_thread()
