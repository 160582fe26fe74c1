"""A clock that stands still until a test moves it."""


class FakeClock:
    """Call it for the time in epoch milliseconds."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self.now = now
        self.slips = 0
        """How many milliseconds the clock is set back after each reading."""
        self.latest = now
        """The latest time that was read."""

    def __call__(self) -> int:
        read, self.now = self.now, self.now - self.slips
        self.latest = max(self.latest, read)
        return read

    def advance(self, milliseconds: int = 0, *, seconds: float = 0) -> int:
        self.now += milliseconds + round(seconds * 1000)
        return self.now
