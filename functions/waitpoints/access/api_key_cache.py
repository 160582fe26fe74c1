"""The named keys as a function environment last read them: at most once a minute, and only if it was shown one."""

from collections.abc import Callable, Sequence

from waitpoints.access.api_keys import SHOWN_DIGITS, NamedKey
from waitpoints.errors import TryAgain

CACHED_FOR = 60_000  # milliseconds: a revoked key is refused everywhere after this time
LOOK_AGAIN_AFTER = 5_000  # milliseconds, for a key that is not among those that were read: it may be new
USED_EVERY = 3_600_000  # milliseconds: "last used" is written at most once in this time


class ApiKeyCache:
    """`read` returns all keys, `note_used` records that one was used.

    The clock is the wall clock, since environments freeze. If it is set back, the keys are read again.
    """

    def __init__(
        self, read: Callable[[], Sequence[NamedKey]], note_used: Callable[[NamedKey, int], None], clock: Callable[[], int]
    ) -> None:
        self._read = read
        self._note_used = note_used
        self._clock = clock
        self._keys: dict[str, NamedKey] = {}
        self._read_at: int | None = None
        self._tried_at: int | None = None
        self._used: dict[str, int] = {}

    def find(self, digest: str) -> NamedKey | None:
        """Return the key whose digest begins with these digits, at least SHOWN_DIGITS of them, unless it has expired.

        Raises what `read` raises if the keys could not be read for a minute, or if this one was not among them before. Then
        it raises TryAgain until they may be read again.
        """
        now = self._clock()
        key = self._known(digest)
        if key is None:  # anybody can make such a key up, so failures count as reads, too
            if not _is_within(LOOK_AGAIN_AFTER, self._tried_at, now):
                self._read_all(now)
            elif self._tried_at != self._read_at:
                raise TryAgain("The named keys cannot be read now: send the same request again in a few seconds")
        elif not _is_within(CACHED_FOR, self._read_at, now):
            self._read_all(now)
        key = self._known(digest)
        if key is None or key.has_expired(now):
            return None
        if not _is_within(USED_EVERY, self._used.get(key.digest), now):
            self._used[key.digest] = now
            self._note_used(key, now)
        return key

    def _known(self, digest: str) -> NamedKey | None:
        found = self._keys.get(digest[:SHOWN_DIGITS])
        return found if found and found.digest.startswith(digest) else None

    def _read_all(self, now: int) -> None:
        self._tried_at = now
        self._keys = {key.digest[:SHOWN_DIGITS]: key for key in self._read()}
        self._read_at = now


def _is_within(span: int, instant: int | None, now: int) -> bool:
    return instant is not None and 0 <= now - instant < span
