"""How much of the table a round of the doctor reads, and where the next round goes on.

A pass reads each part of the table once, and takes a day, however many rounds the day has. So each round reads enough to be in
time when the next one begins; a pass that is behind takes all the time there is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

DAY = 86_400_000  # milliseconds
MOST_OLDEST = 10  # so that the next one is known when the oldest has ended

type Key = tuple[str, str]
"""The `id` and the `item` of an item."""
type Waiting = tuple[int, str]
"""When a token that waits without a timeout was created, and its id."""


def oldest(*found: Iterable[Waiting]) -> tuple[Waiting, ...]:
    """Return the oldest of these tokens, the oldest first."""
    return tuple(sorted({one for some in found for one in some})[:MOST_OLDEST])


@dataclass(frozen=True, slots=True)
class Read:
    """How far a part was read: to its end, or until `stopped_at`, which is None if it was not begun."""

    is_whole: bool
    stopped_at: Key | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """How far a pass has come: all parts before `next` have been read, but for the rest of the `open` ones.

    The number of parts is fixed for a pass, because a key belongs to its part of so many.
    """

    parts: int
    begun: int
    """When the pass began, in epoch milliseconds."""
    next: int = 0
    open: Mapping[int, Key | None] = field(default_factory=dict)

    @property
    def is_at_end(self) -> bool:
        return self.next == self.parts and not self.open

    def choose(self, now: int, interval: int) -> list[int]:
        """Return the parts to read before the next round, which begins an `interval` after this one."""
        length = max(interval, DAY - DAY % interval)  # of a pass, in whole rounds
        in_time = -(-self.parts * (now + interval - self.begun) // length)  # rounded up
        read = self.parts - len(self.rest)
        return self.rest[: max(0, in_time - read)]

    @property
    def rest(self) -> list[int]:
        """The parts that have not been read to their end."""
        return [*self.open, *range(self.next, self.parts)]

    def after(self, read: Mapping[int, Read]) -> "Place":
        """Return the place after these parts were read."""
        begun = [part + 1 for part, it in read.items() if it.is_whole or it.stopped_at]
        next_part = max([self.next, *begun])
        rest = {part: it.stopped_at for part, it in read.items() if not it.is_whole and part < next_part}
        still_open = {part: key for part, key in self.open.items() if part not in read}
        return replace(self, next=next_part, open=still_open | rest)


@dataclass(frozen=True, slots=True)
class Progress:
    """What the doctor remembers from round to round. Times are in epoch milliseconds."""

    place: Place
    last_round: int | None
    """When the last round began. None: there was none yet."""
    last_pass: int
    """When the last full pass began, and before the first one is full, when that began."""
    undone: frozenset[str] = frozenset()
    """Tokens that were left undone and are not marked."""
    oldest: tuple[Waiting, ...] = ()
    """The oldest tokens without a timeout that were found waiting."""

    def interval(self, now: int) -> int:
        """How long it is to the next round: as long as since the last one. The first round reads all that it has time for."""
        return DAY if self.last_round is None else max(1, now - self.last_round)

    def needs_new_pass(self, now: int) -> bool:
        """Whether the pass has ended, and the next one would be late if it began a round later."""
        return self.place.is_at_end and now + self.interval(now) > self.place.begun + DAY

    def choose(self, now: int) -> list[int]:
        """Return the parts that a round reads."""
        return self.place.choose(now, self.interval(now))

    def at_new(self, place: Place) -> "Progress":
        """Return the progress of a pass that begins."""
        return replace(self, place=place)

    def at(self, place: Place, now: int, oldest: tuple[Waiting, ...]) -> "Progress":
        """Return the progress after a round that began `now`, has come to this place, and knows these oldest tokens."""
        last_pass = place.begun if place.is_at_end else self.last_pass
        return replace(self, place=place, last_round=now, last_pass=last_pass, oldest=oldest)
