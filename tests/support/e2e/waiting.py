"""Wait for what a stack does by itself."""

import time
from collections.abc import Callable

from tests.support.patience import PATIENCE

SHORTEST, LONGEST = 0.05, 1.0  # seconds between two looks


def until[Value](look: Callable[[], Value], what: str | Callable[[], str]) -> Value:
    """Return what `look` returns once that is something. `what` says what was missing if it never is, or finds out."""
    began = time.monotonic()
    while not (found := look()):
        assert time.monotonic() < began + PATIENCE, what if isinstance(what, str) else what()
        pause(began)
    return found


def pause(began: float) -> None:
    """Sleep between two looks, the longer the longer it lasts: a look takes processor time from what it waits for."""
    time.sleep(min(max(SHORTEST, (time.monotonic() - began) / 4), LONGEST))
