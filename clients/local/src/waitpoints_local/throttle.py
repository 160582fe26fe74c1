"""How AWS throttles: a token bucket. A test of bursts has the emulator throttle SendTaskSuccess by one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TokenBucket:
    """Refills at `rate` tokens a second up to `capacity`. Full at first. `now` is in seconds, and never goes back."""

    def __init__(self, rate: float, capacity: float, now: float = 0) -> None:
        self.rate, self.capacity = rate, capacity
        self._tokens, self._at = capacity, now

    def has(self, now: float, tokens: float = 1) -> bool:
        self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return self._tokens >= tokens

    def take(self, now: float, tokens: float = 1) -> bool:
        """Take so many tokens, or none."""
        if not self.has(now, tokens):
            return False
        self._tokens -= tokens
        return True


def file_of(folder: Path, port: int) -> Path:
    """Return the file that holds the quota of the stack on this port. Usually there is none, and nothing is throttled."""
    return folder / f"throttle.{port}"


@contextmanager
def throttled_resumes(file: Path, rate: float, capacity: float) -> Iterator[None]:
    """Let the emulator take so many SendTaskSuccess a second, and so many at once."""
    half_written = file.with_name(f"{file.name}.new")
    half_written.write_text(json.dumps([rate, capacity]))
    half_written.rename(file)
    try:
        yield
    finally:
        file.unlink()


def quota_in(file: Path) -> tuple[float, float] | None:
    """Return the rate and the capacity that `throttled_resumes` wrote."""
    try:
        rate, capacity = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return rate, capacity
