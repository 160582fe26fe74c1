"""Turns of processes that would disturb each other, such as those of `pytest -n 2`."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait until no other process has locked this file. A process that ends gives up its turn."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
