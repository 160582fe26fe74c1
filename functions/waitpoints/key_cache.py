"""The named keys as a function environment last read them: at most once a minute, and only if it was shown one."""

from collections.abc import Callable, Sequence

from waitpoints.named_keys import SHOWN_DIGITS, NamedKey

CACHED_FOR = 60_000  # milliseconds: a revoked key is refused everywhere after this time
LOOK_AGAIN_AFTER = 5_000  # milliseconds, for a key that is not among those that were read: it may be new
USED_EVERY = 3_600_000  # milliseconds: "last used" is written at most once in this time


class KeyCache:
    """`read` returns all keys, `note_used` records that one was used. The clock is the wall clock, since environments freeze."""

    def __init__(
        self, read: Callable[[], Sequence[NamedKey]], note_used: Callable[[NamedKey, int], None], clock: Callable[[], int]
    ) -> None:
        self._read = read
        self._note_used = note_used
        self._clock = clock
        self._read_at: int | None = None
        self._keys: dict[str, NamedKey] = {}
        self._used: dict[str, int] = {}

    def find(self, digest: str) -> NamedKey | None:
        """Return the key whose digest begins with these digits, at least SHOWN_DIGITS of them, unless it has expired.

        Raises what `read` raises if the keys could not be read for a minute, or if this one is not among those that were read.
        """
        key = self._look(digest, CACHED_FOR) or self._look(digest, LOOK_AGAIN_AFTER)
        now = self._clock()
        if key is None or key.has_expired(now):
            return None
        self._note(key, now)
        return key

    def _look(self, digest: str, cached_for: int) -> NamedKey | None:
        now = self._clock()
        if self._read_at is None or not 0 <= now - self._read_at < cached_for:
            self._keys = {key.digest[:SHOWN_DIGITS]: key for key in self._read()}
            self._read_at = now
        found = self._keys.get(digest[:SHOWN_DIGITS])
        return found if found and found.digest.startswith(digest) else None

    def _note(self, key: NamedKey, now: int) -> None:
        if now - self._used.get(key.digest, -USED_EVERY) >= USED_EVERY:
            self._used[key.digest] = now
            self._note_used(key, now)
