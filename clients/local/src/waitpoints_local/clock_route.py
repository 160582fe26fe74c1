"""Move the clock of an execution of the local run. `clocks.py` has the clock, `interpreter/` what waits by it.

An execution shares its clock with those that its states start. The client moves it by POST /_waitpoints/clock, from this
machine only:

    {"execution": ARN}                  hold the clock, wait until no state is at work, and say what would end next
    {"execution": ARN, "move": 60}      also move it, by at most so many seconds, to the next instant at which something ends
    {"execution": ARN, "release": true} let it go on by itself
    {"execution": ARN, "time_out": TOKEN} let what waits for this task token run out of time now
"""

import asyncio
import hashlib
import json
import re
from dataclasses import asdict
from typing import Any

from waitpoints_local.clocks import Clock, Skipped
from waitpoints_local.interpreter.runs import runs
from waitpoints_local.own_route import Answer

PATH = "/_waitpoints/clock"
LEASE = 60.0  # seconds: a client that dies holds no clock for longer
PATIENCE = 20.0  # seconds until the answer that a state is still at work
POLL_SECONDS = 0.01
_TOKEN = re.compile(r"waitpoint_[0-7][0-9a-hjkmnp-tv-z]{25}")


def answering(stepfunctions: Any) -> Answer:
    """Return what answers the route."""

    async def answer(asked: Any) -> tuple[int, Any]:
        arn, seconds = str(asked["execution"]), float(asked.get("move", 0))
        if not 0 <= seconds < float("inf"):
            raise ValueError("move is no number of seconds")
        execution = next((it for it in stepfunctions._executions.all_values() if it["executionArn"] == arn), None)
        if execution is None:
            return 404, {"message": f"No execution {arn} on this machine"}
        if token := asked.get("time_out"):
            clock = _clock_of(arn)
            return 200, {"timed_out": clock is not None and clock.run_out(str(token))}
        if asked.get("release"):
            return 200, {**_seen(stepfunctions, execution, clock := _clock_of(arn)), "skipped": _release(clock)}
        clock = await _until_rest(arn, execution)
        moved = clock.move(seconds, LEASE) if clock and seconds else 0
        skipped = _as_values(clock.take_skipped(is_last=False)) if clock else []
        return 200, {**_seen(stepfunctions, execution, clock), "moved": moved, "skipped": skipped}

    return answer


async def _until_rest(arn: str, execution: Any) -> Clock | None:
    """Hold the clock of an execution until its states are at rest. None: it has ended. A new one has its clock in a moment."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while execution["status"] == "RUNNING":
        if clock := _clock_of(arn):
            clock.hold(LEASE)
            if clock.rests or asyncio.get_running_loop().time() > until:
                return clock
        await asyncio.sleep(POLL_SECONDS)
    return None


def _clock_of(arn: str) -> Clock | None:
    run = runs.get(arn)
    return run.clock if run else None


def _release(clock: Clock | None) -> list[dict[str, Any]]:
    if clock is None:
        return []
    clock.release()
    return _as_values(clock.take_skipped(is_last=True))


def _seen(stepfunctions: Any, execution: Any, clock: Clock | None) -> dict[str, Any]:
    """Return what a client decides by: also the tokens that the histories name, and the waiters that the states are."""
    handles = clock.handles() if clock else []
    executions = [it for it in stepfunctions._executions.all_values() if clock and _clock_of(it["executionArn"]) is clock]
    return {
        "status": execution["status"],
        "rests": clock is None or clock.rests,
        "next": clock and clock.next(),
        "ahead": clock.ahead if clock else 0,
        "tokens": sorted({token for it in executions for token in _TOKEN.findall(json.dumps(it["events"]))}),
        "waiters": {hashlib.sha256(handle.encode()).hexdigest()[:16]: state for handle, state in handles},
    }


def _as_values(skipped: list[Skipped]) -> list[dict[str, Any]]:
    return [asdict(one) for one in skipped]
