"""How long tests wait: for what ends unless it hangs, and for a machine that is quiet enough to measure how late something is.

The emulator's Python, which has no pytest, imports this, too.
"""

import os
import time
from collections.abc import Callable
from typing import Never

PATIENCE = 120  # seconds: a limit that only guards against hanging
FOR_QUIET = 300  # seconds
LOOK = 0.2  # seconds
QUIET = 0.9  # of a processor: what a thread gets that always has something to do


def measured[Value](measure: Callable[[], Value], is_good: Callable[[Value], bool]) -> Value:
    """Return what was measured. What is not good is measured once more, as soon as the machine is quiet.

    Where it never is, the test is skipped, and fails in CI.
    """
    value = measure()
    if is_good(value):
        return value
    wait_for_quiet()
    return measure()


def wait_for_quiet() -> None:
    until = time.monotonic() + FOR_QUIET
    while share() < QUIET:
        if time.monotonic() > until:
            give_up(f"the machine was too busy to measure for {FOR_QUIET // 60} minutes")
        time.sleep(1)


def share() -> float:
    """How much of a processor this thread gets."""
    began, before = time.monotonic(), time.thread_time()
    while time.monotonic() < began + LOOK:
        pass
    return (time.thread_time() - before) / (time.monotonic() - began)


def give_up(why: str) -> Never:
    """Skip the test, which cannot run here. In CI it fails."""
    import pytest

    if os.environ.get("CI") == "true":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
