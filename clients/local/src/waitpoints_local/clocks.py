"""A clock for an execution, which can be moved: what waits for hours then ends in moments, in the order in which it would.

The strands of an execution are its threads: its own, one for each branch, Map item or child execution that runs beside it. A
clock knows how many of them are at work. While one is, the clock does not jump: what this strand does may start the next wait.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

WAIT, RETRY, TIMEOUT, HEARTBEAT = "Wait", "Retry", "TimeoutSeconds", "HeartbeatSeconds"


@dataclass(frozen=True)
class Skipped:
    """What passed by a skip, and how many seconds of it."""

    state: str
    """Empty for a token that no state waits for yet."""
    what: str
    """Wait, Retry, TimeoutSeconds, HeartbeatSeconds, or of a token: reminder, escalation, timeout."""
    seconds: float


@dataclass(frozen=True)
class Coming:
    """What ends by itself, and in how many seconds."""

    state: str
    what: str
    seconds: float


@dataclass(eq=False)
class Pause:
    """What a strand waits for. `until` is in epoch seconds by its clock.

    A pause with an `event` ends with it, or runs out: with a `heartbeat`, also so many seconds after the last one. `handle` is
    the task token that it waits for.
    """

    state: str
    what: str
    until: float
    event: Any = None
    heartbeat: float | None = None
    handle: str = ""
    beat_until: float = float("inf")
    skipped: float = 0
    is_over: bool = False
    ran_out_of: str = ""
    is_stopped: Callable[[], bool] | None = None
    """Whether what the strand belongs to has ended, so that the pause does, too."""

    @property
    def end(self) -> float:
        return min(self.until, self.beat_until)

    @property
    def ends_by(self) -> str:
        return HEARTBEAT if self.beat_until < self.until else self.what


@dataclass(eq=False)
class Clock:
    """Real time, and by how much it is ahead of it. While it is held, it stands still, for at most as long as its lease."""

    real: Callable[[], float] = time.time
    ahead: float = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    _pauses: list[Pause] = field(default_factory=list)
    _skipped: list[Skipped] = field(default_factory=list)
    _at_work: int = 0
    _held_at: float = 0
    _held_until: float = 0

    def now(self) -> float:
        real = self.real()
        return self._held_at if real < self._held_until else real + self.ahead

    # What strands do

    def begin_strand(self) -> None:
        with self.changed:
            self._at_work += 1

    def end_strand(self) -> None:
        with self.changed:
            self._at_work -= 1

    def pause(self, pause: Pause) -> None:
        """Let the calling strand rest until the pause is over."""
        with self.changed:
            if (pause.event is not None and pause.event.is_set()) or (pause.is_stopped and pause.is_stopped()):
                return
            self._beat(pause)
            self._pauses.append(pause)
            self._at_work -= 1
            while not pause.is_over:
                self._end_due()
                if not pause.is_over:
                    self.changed.wait(self._real_seconds(pause))

    def end_pauses(self, which: Callable[[Pause], bool]) -> None:
        """Wake the strands of these pauses. They are at work from now on, though their threads run later."""
        with self.changed:
            for pause in list(filter(which, self._pauses)):
                self._end(pause)

    def run_out(self, handle: str) -> bool:
        """Let what waits for a task token run out of time now. Returns whether anything waits for it."""
        with self.changed:
            pauses = [pause for pause in self._pauses if pause.handle == handle]
            if pauses:
                self._run_out(min(pauses, key=lambda it: it.end))
            return bool(pauses)

    def note_heartbeat(self, event: Any) -> None:
        with self.changed:
            for pause in self._pauses:
                if pause.event is event:
                    self._beat(pause)

    # What skips time

    def hold(self, lease: float) -> None:
        """Let no real time pass until `release`, or for `lease` seconds."""
        with self.changed:
            self._held_at, self._held_until = self.now(), self.real() + lease

    def release(self) -> None:
        with self.changed:
            self._held_until = 0
            self.changed.notify_all()

    @property
    def rests(self) -> bool:
        """Whether no strand is at work."""
        return not self._at_work

    def coming(self) -> list[Coming]:
        """Return the pauses that end by themselves, the next one first."""
        with self.changed:
            now, ending = self.now(), sorted(self._pauses, key=lambda pause: pause.end)
            return [Coming(it.state, it.ends_by, max(0, it.end - now)) for it in ending if it.end < float("inf")]

    def move(self, seconds: float, lease: float) -> float:
        """Move by at most `seconds`, to the next instant at which a pause ends. Returns by how much.

        That is 0 while a strand is at work.
        """
        with self.changed:
            self.hold(lease)
            if self._at_work:
                return 0
            now = self._held_at
            self._held_at = min([now + seconds, *(max(now, pause.end) for pause in self._pauses)])
            moved = self._held_at - now
            self.ahead += moved
            for pause in self._pauses:
                pause.skipped += moved
            self._end_due()
            return moved

    def take_skipped(self, *, is_last: bool) -> list[Skipped]:
        """Return what was skipped since the last call. The last one has also what goes on after it."""
        with self.changed:
            taken, self._skipped = self._skipped, []
            for pause in self._pauses if is_last else ():
                taken += _skipped_of(pause)
                pause.skipped = 0
            return taken

    def handles(self) -> list[tuple[str, str]]:
        """Return the task tokens that are waited for, each with its state."""
        with self.changed:
            return [(pause.handle, pause.state) for pause in self._pauses if pause.handle]

    def _beat(self, pause: Pause) -> None:
        if pause.heartbeat is not None:
            pause.beat_until = self.now() + pause.heartbeat

    def _real_seconds(self, pause: Pause) -> float:
        is_held = self.real() < self._held_until
        seconds = self._held_until - self.real() if is_held else pause.end - self.now()
        return min(max(0, seconds), threading.TIMEOUT_MAX)

    def _end_due(self) -> None:
        for pause in sorted(self._pauses, key=lambda it: it.end):
            if pause.end <= self.now():
                self._run_out(pause)

    def _run_out(self, pause: Pause) -> None:
        pause.ran_out_of = pause.ends_by
        self._end(pause)

    def _end(self, pause: Pause) -> None:
        pause.is_over = True
        self._pauses.remove(pause)
        self._skipped += _skipped_of(pause)
        self._at_work += 1
        self.changed.notify_all()


def _skipped_of(pause: Pause) -> list[Skipped]:
    """Tell of a timeout only if it has run out."""
    what = pause.ran_out_of or ("" if pause.event is not None else pause.what)
    return [Skipped(pause.state, what, pause.skipped)] if what and pause.skipped else []
