"""Turns of processes that work in one clone, such as those of `pytest -n 2`."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCKS = Path(__file__).resolve().parent.parent / ".local" / "locks"


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Wait until no other process does this. A process that ends gives up its turn."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    with open(LOCKS / what, "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
