"""Move the clock of an execution of the local run. `clocks.py` has the clock, `interpreter/` what waits by it.

An execution shares its clock with those that its states start. A durable execution has one of its own, which makes it older
(`durable_clock.py`). The client moves it by POST /_waitpoints/clock, from this machine only:

    {"execution": ARN, "look": true}    say whether a state is at work, and what ends by itself
    {"execution": ARN}                  hold the clock, wait until no state is at work, and say so
    {"execution": ARN, "move": 60}      also move it, by at most so many seconds, to the next instant at which something ends
    {"execution": ARN, "release": true} let it go on by itself
    {"execution": ARN, "time_out": TOKEN} let what waits for this task token run out of time now
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from waitpoints_local.clocks import Clock, Coming, Skipped
from waitpoints_local.durable_clock import DurableClock, DurableExecutions
from waitpoints_local.interpreter.runs import runs
from waitpoints_local.own_route import Answer

PATH = "/_waitpoints/clock"
LEASE = 60.0  # seconds: a client that dies holds no clock for longer
PATIENCE = 20.0  # seconds until the answer that a state is still at work
POLL_SECONDS = 0.01
_TOKEN = re.compile(r"waitpoint_[0-7][0-9a-hjkmnp-tv-z]{25}")


class Execution(Protocol):
    """What has a clock."""

    @property
    def status(self) -> str: ...
    @property
    def clock(self) -> Clock | DurableClock | None:
        """None for one that has ended, or that does not run yet."""

    def told(self) -> str:
        """Return a text that has the ids of the tokens which it names."""


Find = Callable[[str], Execution | None]


@dataclass(frozen=True)
class MachineExecution:
    """An execution of a state machine."""

    stepfunctions: Any
    execution: Any

    @property
    def status(self) -> str:
        return str(self.execution["status"])

    @property
    def clock(self) -> Clock | None:
        return _clock_of(self.execution["executionArn"])

    def told(self) -> str:
        clock, executions = self.clock, self.stepfunctions._executions.all_values()
        return json.dumps([it["events"] for it in executions if clock and _clock_of(it["executionArn"]) is clock])


def finding(stepfunctions: Any, durables: DurableExecutions) -> Find:
    """Return what finds an execution by its ARN."""

    def find(arn: str) -> Execution | None:
        found = next((it for it in stepfunctions._executions.all_values() if it["executionArn"] == arn), None)
        return MachineExecution(stepfunctions, found) if found else durables.find(arn)

    return find


def answering(find: Find) -> Answer:
    """Return what answers the route."""

    async def answer(asked: Any) -> tuple[int, Any]:
        arn, seconds = str(asked["execution"]), float(asked.get("move", 0))
        if not 0 <= seconds < float("inf"):
            raise ValueError("move is no number of seconds")
        execution = find(arn)
        if execution is None:
            return 404, {"message": f"No execution {arn} on this machine"}
        clock = execution.clock
        if asked.get("look"):
            return 200, _seen(execution, clock)
        if token := asked.get("time_out"):
            return 200, {"timed_out": isinstance(clock, Clock) and clock.run_out(str(token))}
        if asked.get("release"):
            return 200, {**_seen(execution, clock), "skipped": _release(clock)}
        clock = await _until_rest(execution)
        moved = clock.move(seconds, LEASE) if clock and seconds else 0
        skipped = _as_values(clock.take_skipped(is_last=False)) if clock else []
        return 200, {**_seen(execution, clock), "moved": moved, "skipped": skipped}

    return answer


async def _until_rest(execution: Execution) -> Clock | DurableClock | None:
    """Hold the clock of an execution until its states are at rest. None: it has ended. A new one has its clock in a moment."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while execution.status == "RUNNING":
        if clock := execution.clock:
            clock.hold(LEASE)
            if clock.rests or asyncio.get_running_loop().time() > until:
                return clock
        await asyncio.sleep(POLL_SECONDS)
    return None


def _clock_of(arn: str) -> Clock | None:
    run = runs.get(arn)
    return run.clock if run else None


def _release(clock: Clock | DurableClock | None) -> list[dict[str, Any]]:
    if clock is None:
        return []
    clock.release()
    return _as_values(clock.take_skipped(is_last=True))


def _seen(execution: Execution, clock: Clock | DurableClock | None) -> dict[str, Any]:
    """Return what a client decides by: also the tokens that it names, and the waiters that its states are."""
    handles = clock.handles() if clock else []
    return {
        "status": execution.status,
        "rests": clock is None or clock.rests,
        "coming": _as_values(clock.coming()) if clock else [],
        "now": clock.now() if clock else time.time(),
        "tokens": sorted(set(_TOKEN.findall(execution.told()))),
        "waiters": {hashlib.sha256(handle.encode()).hexdigest()[:16]: state for handle, state in handles},
    }


def _as_values(found: list[Skipped] | list[Coming]) -> list[dict[str, Any]]:
    return [asdict(one) for one in found]
