"""Read the due index once more, behind the timers: a token in it that still waits is overdue, or was never given a timer.

Each shard has a cursor of the doctor's own. It never passes a token that could not be repaired.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import batched, groupby, takewhile
from typing import TYPE_CHECKING

from waitpoints.ports import Cursor

if TYPE_CHECKING:
    from waitpoints.aws.due_index import DueIndex

SLICE = 1000  # entries of one shard
TOGETHER = 100  # tokens that one BatchGetItem asks for
MOST = 10_000  # tokens that a run looks for: it repairs them one by one


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a shard, and its tokens that still wait."""

    shard: int
    start: Cursor
    end: Cursor
    waiting: frozenset[str]


class Overdue:
    def __init__(self, index: "DueIndex") -> None:
        self._index = index

    def read(self, until: int, has_time: Callable[[], bool]) -> list[Slice]:
        """Read from the cursors to the instant `until`, while there is time and not too much was found."""
        slices: list[Slice] = []
        for shard, start in enumerate(self._index.cursors()):
            cursor = start
            while cursor.due_at <= until and has_time() and sum(len(it.waiting) for it in slices) < MOST:
                timers, end = self._index.read(shard, cursor, until, SLICE)
                ids = [timer.token_id for timer in timers]
                waiting = [self._index.find_waiting(some) for some in batched(ids, TOGETHER, strict=False)]
                slices.append(Slice(shard, cursor, end, frozenset().union(*waiting)))
                cursor = end
        return slices

    def pass_over(self, slices: list[Slice], remaining: Collection[str]) -> None:
        """Move each shard's cursor up to its first slice with a token that is `remaining`."""
        for shard, of_shard in groupby(slices, key=lambda it: it.shard):
            done = list(takewhile(lambda it: it.waiting.isdisjoint(remaining), of_shard))
            if done:
                self._index.move_cursor(shard, done[0].start, done[-1].end)
