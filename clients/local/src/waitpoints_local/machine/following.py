"""Follow a run until it ends: say what it waits for, and let time pass for it while nothing else happens."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from waitpoints_local.machine.clock import Passing
from waitpoints_local.machine.history import Event, Location
from waitpoints_local.machine.path_taken import where_it_is
from waitpoints_local.machine.run import MachineRun

POLL_SECONDS = 0.25
SOON = 2.0  # seconds: what ends sooner is not worth a word


class StillRuns(Exception):
    """The execution has not ended in time. The message says so."""


class Following:
    """`skip` seconds pass in moments, a part of them each time that the run waits."""

    def __init__(self, run: MachineRun, limit: float | None = None, skip: float = 0) -> None:
        self.run, self._limit, self._skip = run, limit, skip
        self._passing: Passing | None = None
        self._is_told = False

    def events(self) -> Iterator[Event]:
        """Yield what the execution does. Raises StillRuns if it has not ended within the limit."""
        self._until = None if self._limit is None else time.monotonic() + self._limit
        self._passing = Passing(self.run.stack, self.run.execution, self._skip) if self._skip else None
        try:
            while not self.run.end:
                yield from self._go_on()
        finally:
            if self._passing:
                self._passing.end()

    def _go_on(self) -> Iterator[Event]:
        run, before = self.run, len(self.run.events)
        held = self._hold()
        yield from run.poll()
        if not run.end and self._until is not None and time.monotonic() > self._until:
            raise StillRuns(f"It still runs after {self._limit:g} s, and {where_it_is(run, '--skip {}')}")
        if len(run.events) > before:
            self._is_told = False
        elif held:
            yield from self._let_time_pass(held)
        elif not self._passing and not self._is_told:
            yield from self._tell_delays()
        if not held and not run.end:
            time.sleep(POLL_SECONDS)

    def _hold(self) -> Passing | None:
        """Hold the clock of a run that only waits. What it waits for can then be answered before time passes."""
        if not (self._passing and self.run.look().rests and self._passing.rests()):
            return None
        held = self._passing
        self.run.now = lambda: held.now
        return held

    def _let_time_pass(self, passing: Passing) -> Iterator[Event]:
        skipped = passing.step()
        if passing.is_over:
            self._passing, ahead = None, timedelta(seconds=self._skip)
            skipped += passing.end()
            self.run.now = lambda: datetime.now(UTC) + ahead
        for it in skipped:
            yield self._note("skipped", it.state, it.what, it.seconds)

    def _tell_delays(self) -> Iterator[Event]:
        seen = self.run.look()
        self._is_told = seen.rests
        for it in seen.coming if seen.rests else ():
            if it.is_delay and it.seconds > SOON:
                yield self._note("pauses", it.state, it.what, it.seconds)

    def _note(self, kind: str, state: str, what: str, seconds: float) -> Event:
        return self.run.note(Event(kind, self.run.now(), Location(state or None), what=what, seconds=seconds))
