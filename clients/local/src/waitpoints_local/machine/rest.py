"""When a run has come to rest: it goes on only if a token is answered or time passes, and the test does neither."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from waitpoints_local.machine.definition import states
from waitpoints_local.machine.tasks import TaskToken

if TYPE_CHECKING:
    from waitpoints_client import Token

    from waitpoints_local.machine.run import MachineRun

LASTS = 3.0  # seconds without any event
_CONTAINERS = ("Map", "Parallel")
LIMITS = {"TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"}


class Rest:
    def __init__(self, run: "MachineRun", soon: float) -> None:
        """What ends by itself within `soon` seconds is waited for."""
        self._run, self._soon = run, soon
        self._states = dict(states(run.definition.machine))
        self._events, self._since = 0, 0.0

    def lasts(self) -> bool:
        """Whether nothing has happened for a while, and nothing will."""
        if len(self._run.events) != self._events:
            self._events, self._since = len(self._run.events), time.monotonic()
        return time.monotonic() - self._since > LASTS and self._is_at_rest()

    def _is_at_rest(self) -> bool:
        inside = [visit.location for visit in self._run.states if not visit.has_left]
        at_work = [location for location in inside if self._states[location.state or ""].get("Type") not in _CONTAINERS]
        asking = [location for location in at_work if wait_of(self._states[location.state or ""]) <= self._soon]
        if (
            not at_work
            or not all(location in self._run.waiting for location in asking)
            or _ends_soon(self._machine, self._soon)
        ):
            return False
        if any(_ends_soon(self._states[location.state or ""], self._soon) for location in asking):
            return False
        completions = [self._run.waiting[location] for location in asking]
        return all(isinstance(it, TaskToken) or self._waits_on(self._run.waitpoints.get(it.token)) for it in completions)

    @property
    def _machine(self) -> Mapping[str, Any]:
        machine: Mapping[str, Any] = self._run.definition.machine
        return machine

    def _waits_on(self, token: "Token") -> bool:
        ends = token.timeout_at
        return token.status == "WAITING" and (ends is None or ends - datetime.now(UTC) > timedelta(seconds=self._soon))


def wait_of(state: Mapping[str, Any]) -> float:
    """Return how many seconds a Wait state takes that says it itself; 0 for others."""
    seconds = state.get("Seconds") if state.get("Type") == "Wait" else None
    return seconds if isinstance(seconds, int) else 0


def _ends_soon(timed: Mapping[str, Any], seconds: float) -> bool:
    """Whether a state or a machine may time out by itself within so many seconds."""
    limits = [timed[name] for name in LIMITS if name in timed]
    return any(not isinstance(limit, (int, float)) or limit <= seconds for limit in limits)
