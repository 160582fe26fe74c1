"""The threads of an execution, what they wait for, and what ends their waits.

moto starts plain threads, which know neither the request's account and region nor the execution's clock, and which go on after
a branch, a state or the execution has been stopped. Here each is a strand: it has the context of who starts it, its clock knows
whether it is at work, and whatever it waits for ends with the part of the execution that it is in.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token, copy_context
from typing import Any

from waitpoints_local.clocks import TIMEOUT, Clock, Pause

FOREVER = float("inf")
clock_here: ContextVar[Clock | None] = ContextVar("clock", default=None)
frame_here: ContextVar[Any] = ContextVar("frame", default=None)
"""moto's environment of the part of the execution that this strand is in."""
state_here: ContextVar[str] = ContextVar("state", default="")
items_here: ContextVar[tuple[int, ...]] = ContextVar("items", default=())
"""The indexes of the Maps' items that this strand is a part of, the outermost first."""


class Ended(BaseException):
    """The part of the execution that this strand is in has ended."""


class Strand(threading.Thread):
    """A thread in the context of who starts it."""

    def start(self) -> None:
        self._own_context, self._clock = copy_context(), clock_here.get()
        if self._clock:
            self._clock.begin_strand()
        super().start()

    def run(self) -> None:
        try:
            self._own_context.run(super().run)
        except Ended:
            pass
        finally:
            if self._clock:
                self._clock.end_strand()


class Event:
    """An event for which strands wait by their clock."""

    def __init__(self) -> None:
        self._is_set, self._clock, self._plain = False, clock_here.get(), threading.Event()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._plain.set()
        if self._clock:
            self._clock.end_pauses(lambda pause: pause.event is self)

    def clear(self) -> None:
        self._is_set = False
        self._plain.clear()

    def wait(self, timeout: float | None = None) -> bool:
        clock = self._clock
        if clock is None:
            return self._plain.wait(timeout)
        until = FOREVER if timeout is None else clock.now() + timeout
        pause_here(Pause(state_here.get(), TIMEOUT, until, self))
        return self._is_set


def pause_here(pause: Pause) -> None:
    """Wait, and end the strand if the part of the execution that it is in ends meanwhile."""
    clock, frame = clock_here.get(), frame_here.get()
    assert clock
    pause.is_stopped = (lambda: is_stopped(frame)) if frame is not None else None
    clock.pause(pause)
    if pause.is_stopped and pause.is_stopped():
        raise Ended


def is_stopped(frame: Any) -> bool:
    return not frame.is_running()


@contextmanager
def within(frame: Any, state: str | None = None) -> Iterator[None]:
    """Let what this strand does belong to a part of the execution."""
    before: list[tuple[ContextVar[Any], Token[Any]]] = [(frame_here, frame_here.set(frame))]
    if state is not None:
        before.append((state_here, state_here.set(state)))
    try:
        yield
    finally:
        for variable, token in before:
            variable.reset(token)


def in_time(call: Callable[[], None], seconds: float, unless_late: Callable[[], bool] = lambda: False) -> bool:
    """Call in a strand of its own. Returns whether it has ended within so many seconds, or was `unless_late` about to."""
    done, failures = Event(), list[BaseException]()

    def work() -> None:
        try:
            call()
        except BaseException as error:  # for who waits
            failures.append(error)
        done.set()

    Strand(target=work, daemon=True).start()
    if not done.wait(seconds):
        if not unless_late():
            return False
        done.wait()
    for failure in failures:
        raise failure
    return True
