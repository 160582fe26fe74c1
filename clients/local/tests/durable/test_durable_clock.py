"""Time that passes for a durable execution of the emulator: what it waits for, and how it becomes older."""

import time
from typing import Any

import pytest

from waitpoints_local.clocks import RETRY, TIMEOUT, WAIT
from waitpoints_local.durable_clock import EXECUTION_TIMEOUT, DurableClock, DurableExecution

HOUR = 3600


class Emulated:
    """A record of MiniStack, with its clock. `woken` counts how often it was told to look."""

    def __init__(self) -> None:
        now = time.time()
        self.record: dict[str, Any] = {
            "Status": "RUNNING",
            "InputPayload": '{"token": "waitpoint_01"}',
            "StartTimestamp": now,
            "EndTimestamp": None,
            "Operations": [],
            "History": [{"EventTimestamp": now, "InvocationCompletedDetails": {"StartTimestamp": now, "EndTimestamp": now}}],
        }
        self.at_work, self.woken = False, 0
        self.clock = DurableClock(self.record, lambda: self.at_work, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def add(self, number: str, kind: str, name: str | None = None, **more: Any) -> dict[str, Any]:
        operation = {"Id": number, "Type": kind, "Name": name, "Status": "STARTED", "StartTimestamp": time.time(), **more}
        self.record["Operations"].append(operation)
        return operation

    def coming(self) -> list[tuple[str, str, int]]:
        return [(it.state, it.what, round(it.seconds / HOUR)) for it in self.clock.coming()]


def later(hours: float) -> float:
    return time.time() + hours * HOUR


@pytest.fixture
def emulated() -> Emulated:
    found = Emulated()
    found.add("1", "WAIT", "night", WaitDetails={"ScheduledEndTimestamp": later(4)})
    found.add("2", "CONTEXT", "approval", SubType="WaitForCallback")
    callback = {"CallbackId": "c1", "TimeoutDeadline": later(3)}
    found.add("3", "CALLBACK", "approval create callback id", ParentId="2", CallbackDetails=callback)
    found.add("4", "STEP", "approval submitter", ParentId="2", StepDetails={"NextAttemptTimestamp": later(2)})
    return found


def test_what_it_waits_for_has_the_names_of_its_author(emulated: Emulated) -> None:
    emulated.record["_TimeoutDeadline"] = later(100)
    timers = [("approval", RETRY, 2), ("approval", TIMEOUT, 3), ("night", WAIT, 4), ("", EXECUTION_TIMEOUT, 100)]
    assert emulated.coming() == timers
    assert emulated.clock.handles() == [("c1", "approval")]


def test_it_becomes_older_up_to_the_next_instant_and_is_woken_there(emulated: Emulated) -> None:
    invocation = emulated.record["History"][0]["InvocationCompletedDetails"]
    began, ended = emulated.record["StartTimestamp"], invocation["EndTimestamp"]
    assert emulated.clock.move(HOUR, 0) == HOUR
    assert (emulated.woken, emulated.clock.take_skipped(is_last=False)) == (0, [])
    assert emulated.clock.move(10 * HOUR, 0) == pytest.approx(HOUR, abs=5)
    [skipped] = emulated.clock.take_skipped(is_last=False)
    assert (skipped.state, skipped.what, round(skipped.seconds / HOUR)) == ("approval", RETRY, 2)
    assert (emulated.woken, emulated.clock.rests) == (1, False)
    moved = invocation["EndTimestamp"] - ended
    assert (round(moved / HOUR), round((emulated.record["StartTimestamp"] - began) / HOUR)) == (-2, -2)


def test_a_wait_that_goes_on_is_told_at_the_end_a_timeout_is_not(emulated: Emulated) -> None:
    emulated.clock.move(HOUR, 0)
    told = [(it.state, it.what, round(it.seconds)) for it in emulated.clock.take_skipped(is_last=True)]
    assert told == [("night", WAIT, HOUR), ("approval", RETRY, HOUR)]
    assert emulated.clock.take_skipped(is_last=True) == []


def test_it_rests_while_no_invocation_runs_or_is_due(emulated: Emulated) -> None:
    assert emulated.clock.rests
    emulated.at_work = True
    assert not emulated.clock.rests
    emulated.at_work = False
    callback = emulated.record["Operations"][2]
    callback["Status"] = "SUCCEEDED"
    assert not emulated.clock.rests  # no invocation has seen the answer
    callback["CallbackDetails"]["_replayed"] = True
    assert emulated.clock.rests
    emulated.record["Operations"][0]["WaitDetails"]["ScheduledEndTimestamp"] = time.time() - 1
    assert not emulated.clock.rests


def test_the_whole_execution_ends_at_its_limit(emulated: Emulated) -> None:
    emulated.record["_TimeoutDeadline"] = later(1)
    assert emulated.clock.move(5 * HOUR, 0) == pytest.approx(HOUR, abs=5)
    assert [it.what for it in emulated.clock.take_skipped(is_last=False)] == [EXECUTION_TIMEOUT]
    assert emulated.record["_TimeoutDeadline"] <= time.time()


def test_one_that_has_ended_has_no_clock(emulated: Emulated) -> None:
    execution = DurableExecution(emulated.record, emulated.clock)
    assert (execution.status, execution.clock) == ("RUNNING", emulated.clock)
    assert "waitpoint_01" in execution.told()
    emulated.record["Status"] = "SUCCEEDED"
    assert execution.clock is None
