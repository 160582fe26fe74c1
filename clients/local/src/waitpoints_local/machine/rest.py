"""When a run has come to rest: it goes on only if a token is answered or time passes, and the test does neither."""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from waitpoints_local.machine.tasks import TaskToken

if TYPE_CHECKING:
    from waitpoints_client import Token

    from waitpoints_local.machine.run import MachineRun

LASTS = 3.0  # seconds without any event


class Rest:
    def __init__(self, run: "MachineRun", soon: float) -> None:
        """What ends by itself within `soon` seconds is waited for."""
        self._run, self._soon = run, soon
        self._events, self._since = 0, 0.0

    def lasts(self) -> bool:
        """Whether nothing has happened for a while, and nothing will."""
        if len(self._run.events) != self._events:
            self._events, self._since = len(self._run.events), time.monotonic()
        return time.monotonic() - self._since > LASTS and self._is_at_rest() and not self._has_news()

    def _is_at_rest(self) -> bool:
        seen, waiting = self._run.look(), list(self._run.waiting.values())
        if not seen.rests or any(it.seconds <= self._soon for it in seen.coming):
            return False
        if len(waiting) < seen.waiters or not (waiting or seen.coming):  # it waits for what is not seen here
            return False
        return all(isinstance(it, TaskToken) or self._waits_on(self._run.waitpoints.get(it.token)) for it in waiting)

    def _has_news(self) -> bool:
        """Whether something happened before the run came to rest, after it was read."""
        for _ in self._run.poll():
            pass
        return len(self._run.events) != self._events

    def _waits_on(self, token: "Token") -> bool:
        ends = token.timeout_at
        return token.status == "WAITING" and (ends is None or ends - datetime.now(UTC) > timedelta(seconds=self._soon))
