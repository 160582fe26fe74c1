"""Wait for what a stack does by itself."""

import time
from collections.abc import Callable

PATIENCE = 150  # seconds: hundreds of waits that end at once, beside two other stacks


def until[Value](look: Callable[[], Value], what: str) -> Value:
    """Return what `look` returns once that is something. `what` says what was missing if it never is."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found
