"""The fake's clock: it runs on until it is moved, or stands still and lets a `wait` take no time."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone

from waitpoints_client.clock import Clock, Pause

_TURNS = 100  # of the event loop, in which other tasks can answer before a stopped clock is moved
_ASYNC_LOOK = 0.005  # seconds
_ENDLESS = (
    "This wait would never end: no token that waits has a timeout. Answer in `on_create`, give the token or `wait` a "
    "timeout, or leave out `now` if another thread answers"
)


class FakeClock(Clock):
    """A pause of `wait` ends as soon as something happens in the stack, also if only its time is moved.

    On a clock that stands, a pause takes no time: it moves the clock to the next timeout.
    """

    def __init__(self, stands_at: datetime | None, next_timeout: Callable[[datetime], datetime | None]) -> None:
        """`next_timeout` returns when, after an instant, the next token that waits times out."""
        self._stands_at = stands_at
        self._next_timeout = next_timeout
        self._ahead = timedelta()
        self._changes = 0
        self._changed = threading.Condition()

    def now(self) -> datetime:
        return (self._stands_at or datetime.now(timezone.utc)) + self._ahead

    def monotonic(self) -> float:
        return self.now().timestamp() if self._stands_at else time.monotonic() + self._ahead.total_seconds()

    def advance(self, by: timedelta) -> None:
        with self._changed:
            self._ahead += by
        self.note_change()

    def note_read(self) -> None:
        """Note that this thread or task reads the stack."""
        _LOOKED.set((self, self._changes))

    def note_change(self) -> None:
        """Let those who pause read again."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def pause(self, pause: Pause) -> None:
        if self._stands_at:
            self._jump(pause)
            return
        until = self.monotonic() + pause.seconds
        with self._changed:
            while (left := until - self.monotonic()) > 0 and not self._is_over(pause):
                self._changed.wait(left)

    async def pause_async(self, pause: Pause) -> None:
        if self._stands_at:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            self._jump(pause)
            return
        until = self.monotonic() + pause.seconds
        while self.monotonic() < until and not self._is_over(pause):
            await asyncio.sleep(_ASYNC_LOOK)

    def _is_over(self, pause: Pause) -> bool:
        """Whether it is one of a wait, and something happened since this thread or task read."""
        return pause.longest is not None and _LOOKED.get(None) != (self, self._changes)

    def _jump(self, pause: Pause) -> None:
        if self._is_over(pause):
            return
        seconds = pause.seconds
        if pause.longest is not None:
            now = self.now()
            timeout = self._next_timeout(now)
            seconds = min(pause.longest, math.inf if timeout is None else (timeout - now).total_seconds())
        if seconds == math.inf:
            raise RuntimeError(_ENDLESS)
        self.advance(timedelta(milliseconds=max(1, math.ceil(round(seconds * 1000, 3)))))


_LOOKED: ContextVar[tuple[FakeClock, int]] = ContextVar("_LOOKED")
"""The fake that this thread or task has read last, and how much had happened there before."""
