"""How much of the table the doctor scans in one run, and where the next run goes on.

A scan reads each segment of the table once, and takes a day, however many runs the day has. So each run reads enough to be in
time when the next one begins. A scan that is late takes all the time there is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

DAY = 86_400_000  # milliseconds
LATE = 2 * DAY  # a scan in time is not older. The alarm's threshold is above it
MOST_OLDEST = 10  # so that the next one is known when the oldest has ended

type Key = tuple[str, str]
"""The `id` and the `item` of an item."""
type Waiting = tuple[int, str]
"""When a token that waits without a timeout was created, and its id."""


def oldest(*found: Iterable[Waiting]) -> tuple[Waiting, ...]:
    """Return the oldest of these tokens, the oldest first."""
    return tuple(sorted({one for some in found for one in some})[:MOST_OLDEST])


@dataclass(frozen=True, slots=True)
class SegmentRead:
    """How far a segment was read: to its end, or to `last_key`, which is None if it was not begun."""

    is_whole: bool
    last_key: Key | None = None


@dataclass(frozen=True, slots=True)
class ScanCursor:
    """How far a scan has come: all segments before `next` were read, the `partial` ones up to a key.

    The number of segments is fixed for a scan, because a key belongs to its segment of so many.
    """

    segments: int
    begun: int
    """When the scan began, in epoch milliseconds."""
    next: int = 0
    partial: Mapping[int, Key | None] = field(default_factory=dict)

    @property
    def is_at_end(self) -> bool:
        return self.next == self.segments and not self.partial

    def choose(self, now: int, interval: int) -> list[int]:
        """Return the segments to read before the next run, which begins an `interval` after this one."""
        length = max(interval, DAY - DAY % interval)  # of a scan, in whole runs
        in_time = -(-self.segments * (now + interval - self.begun) // length)  # rounded up
        read = self.segments - len(self.remaining)
        return self.remaining[: max(0, in_time - read)]

    @property
    def remaining(self) -> list[int]:
        """The segments that have not been read to their end."""
        return [*self.partial, *range(self.next, self.segments)]

    def after(self, read: Mapping[int, SegmentRead]) -> "ScanCursor":
        """Return the cursor after these segments were read."""
        begun = [segment + 1 for segment, it in read.items() if it.is_whole or it.last_key]
        following = max([self.next, *begun])
        partial = {segment: it.last_key for segment, it in read.items() if not it.is_whole and segment < following}
        unread = {segment: key for segment, key in self.partial.items() if segment not in read}
        return replace(self, next=following, partial=unread | partial)


@dataclass(frozen=True, slots=True)
class DoctorState:
    """What the doctor remembers from run to run. Times are in epoch milliseconds."""

    cursor: ScanCursor
    last_run: int | None
    """When the last run began. None: there was none yet."""
    last_scan: int
    """When the last full scan began, and before the first one is full, when that began."""
    unrepaired: frozenset[str] = frozenset()
    """Tokens that could not be repaired and are not marked."""
    oldest: tuple[Waiting, ...] = ()
    """The oldest tokens without a timeout that were found waiting."""
    records_deliveries: bool = False
    """Whether some endpoint records deliveries, or did."""
    is_of_other_version: bool = False
    """Whether the last run was of another version, which passes over a later version's tokens."""

    def interval(self, now: int) -> int:
        """How long it is to the next run: as long as since the last one. A version's first run reads all that it can."""
        return DAY if self.last_run is None or self.is_of_other_version else max(1, now - self.last_run)

    def needs_new_scan(self, now: int) -> bool:
        """Whether another version ran last, or the scan has ended, and the next one would be late if it began a run later."""
        is_time = self.cursor.is_at_end and now + self.interval(now) > self.cursor.begun + DAY
        return is_time or self.is_of_other_version

    def choose(self, now: int) -> list[int]:
        """Return the segments that a run reads."""
        return self.cursor.choose(now, self.interval(now))

    def after(self, cursor: ScanCursor, now: int, oldest: tuple[Waiting, ...]) -> "DoctorState":
        """Return the state after a run that began `now`, has come to this cursor, and knows these oldest tokens."""
        last_scan = cursor.begun if cursor.is_at_end else self.last_scan
        return replace(self, cursor=cursor, last_run=now, last_scan=last_scan, oldest=oldest, is_of_other_version=False)
