"""How AWS throttles: a token bucket."""


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
