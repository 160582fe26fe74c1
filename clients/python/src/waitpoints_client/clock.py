"""The clock by which a client pauses: the machine's, or that of a transport which has one, as a stack in memory does."""

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pause:
    """Sleep for so many seconds."""

    seconds: float
    longest: float | None = None
    """In a wait: for how long it may still go on. A clock that knows what happens ends the pause then, sooner or later."""


class Clock:
    def monotonic(self) -> float:
        """Return the seconds since some fixed instant."""
        return time.monotonic()

    def pause(self, pause: Pause) -> None:
        time.sleep(pause.seconds)

    async def pause_async(self, pause: Pause) -> None:
        """Let other tasks run meanwhile."""
        import asyncio  # noqa: PLC0415 - only for the async client

        await asyncio.sleep(pause.seconds)


def clock_of(transport: Any) -> Clock:
    """Return the clock of a transport of httpx."""
    found = getattr(transport, "clock", None)
    return found if isinstance(found, Clock) else Clock()
