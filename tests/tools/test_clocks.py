"""An execution's clock: when it jumps, when it stands still, and what it says was skipped."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from waitpoints_local.clocks import HEARTBEAT, RETRY, TIMEOUT, WAIT, Clock, Coming, Pause, Skipped

HOUR = 3600.0
LEASE = 1000.0


class Strands:
    """Strands of one clock, whose real time stands still."""

    def __init__(self) -> None:
        self.real = 0.0
        self.clock = Clock(lambda: self.real)
        self.ended: list[str] = []

    def begin(self, name: str, *pauses: Pause) -> threading.Thread:
        """Begin a strand that makes these pauses, one after the other, and wait until it rests or has ended."""
        self.clock.begin_strand()

        def run() -> None:
            for pause in pauses:
                self.clock.pause(pause)
                self.ended.append(pause.state)
            self.clock.end_strand()

        thread = threading.Thread(target=run, daemon=True, name=name)
        thread.start()
        self.rest()
        return thread

    def rest(self) -> None:
        until(lambda: self.clock.rests)

    def skip(self, seconds: float) -> list[tuple[str, str, float]]:
        left = seconds
        skipped: list[Skipped] = []
        while left > 0 and self.clock.coming():
            self.rest()
            left -= self.clock.move(left, LEASE)
            skipped += self.clock.take_skipped(is_last=False)
            self.rest()
        self.clock.release()
        skipped += self.clock.take_skipped(is_last=True)
        return [(it.state, it.what, it.seconds) for it in skipped]


def until(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(24_000):
        if condition():
            return
        waiting.wait(0.005)
    raise AssertionError("nothing happened for two minutes")


@pytest.fixture
def strands() -> Strands:
    return Strands()


class Flag(threading.Event):
    """What a state waits for that is answered from outside."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def set(self) -> None:
        super().set()
        self.clock.end_pauses(lambda pause: pause.event is self)


def wait(state: str, hours: float, what: str = WAIT, **more: Any) -> Pause:
    return Pause(state, what, hours * HOUR, **more)


def test_pauses_end_in_their_order(strands: Strands) -> None:
    strands.begin("one", wait("a", 2), wait("c", 5))
    strands.begin("other", wait("b", 4, RETRY))
    assert strands.skip(6 * HOUR) == [("a", WAIT, 2 * HOUR), ("b", RETRY, 4 * HOUR), ("c", WAIT, 3 * HOUR)]
    assert strands.ended == ["a", "b", "c"]


def test_what_is_left_of_a_pause_goes_on(strands: Strands) -> None:
    strands.begin("one", wait("a", 3))
    assert strands.skip(2 * HOUR) == [("a", WAIT, 2 * HOUR)]
    assert (strands.ended, strands.clock.coming()) == ([], [Coming("a", WAIT, HOUR)])
    strands.real += HOUR
    with strands.clock.changed:
        strands.clock.changed.notify_all()  # as the end of a real hour does
    until(lambda: strands.ended == ["a"])


def test_it_stands_still_while_a_strand_is_at_work(strands: Strands) -> None:
    strands.begin("one", wait("a", 1))
    strands.clock.begin_strand()
    assert (strands.clock.move(2 * HOUR, LEASE), strands.clock.rests) == (0, False)
    strands.clock.end_strand()
    assert strands.clock.move(2 * HOUR, LEASE) == HOUR


def test_real_time_passes_only_while_nobody_holds_it(strands: Strands) -> None:
    clock = strands.clock
    strands.real = 100
    clock.hold(50)
    strands.real = 120
    assert (clock.now(), clock.move(HOUR, 50)) == (100, HOUR)
    strands.real = 130
    assert clock.now() == 100 + HOUR
    clock.release()
    assert (clock.now(), clock.ahead) == (130 + HOUR, HOUR)
    clock.hold(50)
    strands.real = 190  # whoever held it is gone
    assert clock.now() == 190 + HOUR


def test_an_event_ends_its_pause_and_counts_as_work_at_once(strands: Strands) -> None:
    flag = Flag(strands.clock)
    pause = wait("asks", 9, TIMEOUT, event=flag, handle="handle")
    strands.begin("one", pause)
    assert strands.clock.handles() == [("handle", "asks")]
    with strands.clock.changed:  # its thread cannot run meanwhile
        flag.set()
        assert (strands.clock.rests, strands.clock.handles()) == (False, [])
    until(lambda: strands.ended == ["asks"])
    assert (pause.ran_out_of, strands.clock.take_skipped(is_last=True)) == ("", [])


def test_an_event_that_is_set_needs_no_pause(strands: Strands) -> None:
    flag = Flag(strands.clock)
    flag.set()
    strands.begin("one", wait("asks", 9, TIMEOUT, event=flag))
    until(lambda: strands.ended == ["asks"])


def test_a_timeout_is_told_only_once_it_has_run_out(strands: Strands) -> None:
    pause = wait("asks", 3, TIMEOUT, event=Flag(strands.clock))
    strands.begin("one", pause)
    assert strands.skip(2 * HOUR) == []
    assert strands.skip(2 * HOUR) == [("asks", TIMEOUT, HOUR)]
    assert pause.ran_out_of == TIMEOUT


def test_a_heartbeat_begins_its_time_anew(strands: Strands) -> None:
    flag = Flag(strands.clock)
    pause = wait("asks", 9, TIMEOUT, event=flag, heartbeat=2 * HOUR)
    strands.begin("one", pause)
    strands.skip(1.5 * HOUR)
    strands.clock.note_heartbeat(flag)
    strands.clock.note_heartbeat(Flag(strands.clock))  # of another state
    assert strands.skip(1.5 * HOUR) == []
    assert strands.skip(HOUR) == [("asks", HEARTBEAT, 0.5 * HOUR)]
    assert pause.ran_out_of == HEARTBEAT


def test_a_pause_ends_with_what_it_belongs_to(strands: Strands) -> None:
    stopped: list[str] = []
    strands.begin("one", wait("a", 9, is_stopped=lambda: bool(stopped)), wait("b", 9, is_stopped=lambda: bool(stopped)))
    stopped.append("a")
    strands.clock.end_pauses(lambda pause: pause.is_stopped is not None and pause.is_stopped())
    until(lambda: strands.ended == ["a", "b"])


def test_what_ends_by_itself_is_told_alone(strands: Strands) -> None:
    strands.begin("one", Pause("joins", TIMEOUT, float("inf"), Flag(strands.clock)))
    assert strands.clock.coming() == []
    strands.begin("other", wait("a", 1))
    assert strands.clock.coming() == [Coming("a", WAIT, HOUR)]


@pytest.mark.parametrize(("heartbeat", "ran_out_of"), [(None, TIMEOUT), (HOUR, HEARTBEAT), (3 * HOUR, TIMEOUT)])
def test_what_waits_for_a_task_token_runs_out_of_time_now(heartbeat: float | None, ran_out_of: str) -> None:
    strands = Strands()
    other, named = (Pause("A", TIMEOUT, 2 * HOUR, threading.Event(), heartbeat, handle) for handle in ("other", "named"))
    threads = [strands.begin("other", other), strands.begin("named", named)]
    assert strands.clock.run_out("named")
    threads[1].join()
    assert (named.ran_out_of, other.is_over, strands.clock.now()) == (ran_out_of, False, 0)
    assert not strands.clock.run_out("named")
    strands.skip(4 * HOUR)
