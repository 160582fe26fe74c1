"""Slices of the list of tokens, newest or oldest first (contract L1), in a bounded number of reads.

An index keeps tokens in a few partitions, each sorted by id. A slice merges one range of ids from each partition, and
reads all partitions at the same time. Because a filter may skip any number of tokens, each partition is read once more and
further, as READ_AHEAD says. After that the slice may be short or even empty, and its cursor continues where reading stopped.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat

from waitpoints import ids
from waitpoints.token import Status, Token

READ_AHEAD = (100, 800)  # tokens that each query of a partition examines


@dataclass(frozen=True, slots=True)
class Filter:
    """Select tokens that meet every condition. An empty set or None matches every token.

    They have the tag `only_tag`. With `undelivered`, they also have a waiter that could not be resumed; the other conditions
    then don't apply. Else they have one of `statuses`, one of `tags`, ended at `completed_from` or later and at
    `completed_to` or earlier (epoch milliseconds; a token that waits has not ended), and have an error as their output or not.
    """

    statuses: frozenset[Status] = frozenset()
    tags: frozenset[str] = frozenset()
    idempotency_key: str | None = None
    completed_from: int | None = None
    completed_to: int | None = None
    output_is_error: bool | None = None
    undelivered: bool = False
    only_tag: str | None = None

    @property
    def may_skip(self) -> bool:
        """Whether a query of an index may examine many tokens that do not match. Of marks, each takes a read of its token."""
        return not self.undelivered and replace(self, idempotency_key=None) != Filter()


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A filter and a position. Cursors are bare ids; `before` overrides `after`. Times are epoch milliseconds, inclusive."""

    filter: Filter = Filter()
    size: int = 25
    after: str | None = None
    before: str | None = None
    created_from: int | None = None
    created_to: int | None = None
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class IdRange:
    """The ids from `first` to `last`, inclusive, read oldest first if `ascending`, else newest first."""

    first: str
    last: str
    ascending: bool


@dataclass(frozen=True, slots=True)
class TokenSlice:
    tokens: Sequence[Token] = ()
    next: str | None = None
    previous: str | None = None


ReadRange = Callable[[IdRange, int], tuple[list[Token], str | None]]
"""Query one partition for a range, examining at most the given number of tokens. Returns those that match the filter, in
reading order, and the last id examined if there may be more."""


@dataclass(slots=True)
class _Partition:
    """What has been read of a partition. `stopped_at` is the last id examined, if there may be more."""

    read: ReadRange
    unread: IdRange
    found: list[Token] = field(default_factory=list)
    stopped_at: str | None = None

    def read_on(self, limit: int) -> None:
        tokens, self.stopped_at = self.read(self.unread, limit)
        self.found += tokens
        if self.stopped_at:
            self.unread = _beyond(self.stopped_at, self.unread)


def read_slice(partitions: Sequence[ReadRange], query: ListQuery) -> TokenSlice:
    """Return the requested tokens, merged from the partitions of an index."""
    within = _id_range(query)
    known, nearest = _read(partitions, within, query) if within.first <= within.last else ([], None)
    shown = known[: query.size]
    further = shown[-1].id if len(known) > query.size else nearest
    if query.before is not None:
        shown.reverse()
        back_again = shown[-1].id if shown else query.before
        return TokenSlice(shown, next=_cursor(back_again), previous=_cursor(further))
    return TokenSlice(shown, next=_cursor(further), previous=_cursor(shown[0].id) if shown and query.after else None)


def _id_range(query: ListQuery) -> IdRange:
    first, last = ids.FIRST, ids.LAST
    if query.created_from is not None:
        first = ids.first_of(query.created_from)
    if query.created_to is not None:
        last = ids.last_of(query.created_to)
    ascending = query.oldest_first is (query.before is None)  # what comes before a cursor is read against the order
    if cursor := query.before or query.after:
        if ascending:
            first = max(first, ids.next_to(ids.PREFIX + cursor, 1))
        else:
            last = min(last, ids.next_to(ids.PREFIX + cursor, -1))
    return IdRange(first, last, ascending)


def _read(readers: Sequence[ReadRange], within: IdRange, query: ListQuery) -> tuple[list[Token], str | None]:
    """Return the matching tokens in reading order: more than the query asks for, if there are so many.

    Also returns the id up to which they are complete, or None if nothing is left to read.
    """
    limits = READ_AHEAD if query.filter.may_skip else (query.size + 1,) * len(READ_AHEAD)
    partitions = unfinished = [_Partition(read, within) for read in readers]
    with ThreadPoolExecutor(len(partitions)) as threads:
        for limit in limits:
            list(threads.map(_Partition.read_on, unfinished, repeat(limit)))  # raises what a read raised
            known, nearest = _merged(partitions, within.ascending)
            unfinished = [one for one in partitions if one.stopped_at and len(one.found) <= query.size]
            if len(known) > query.size or not unfinished:
                break
    return known, nearest


def _merged(partitions: list[_Partition], ascending: bool) -> tuple[list[Token], str | None]:
    """A partition that stopped early may lack tokens beyond that point, so cut all of them at the nearest one."""
    nearest = (min if ascending else max)((one.stopped_at for one in partitions if one.stopped_at), default=None)
    found = [token for one in partitions for token in one.found]
    known = [token for token in found if not nearest or (token.id <= nearest if ascending else token.id >= nearest)]
    known.sort(key=lambda token: token.id, reverse=not ascending)
    return known, nearest


def _beyond(token_id: str, within: IdRange) -> IdRange:
    """Return what is left to read of a range after this id."""
    if within.ascending:
        return IdRange(ids.next_to(token_id, 1), within.last, True)
    return IdRange(within.first, ids.next_to(token_id, -1), False)


def _cursor(token_id: str | None) -> str | None:
    return token_id and token_id.removeprefix(ids.PREFIX)
