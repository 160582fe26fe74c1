"""Slices of a list, newest or oldest first (contract L1), in a bounded number of reads.

Tokens, and recorded deliveries, are in a few partitions, each sorted by id. A slice merges one range of ids from each
partition, and reads all partitions at the same time. Because a filter may skip any number of items, each partition is read once
more and further, as `Listed` says. After that the slice may be short or even empty, and its cursor continues where reading
stopped.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Protocol

from waitpoints import ids
from waitpoints.token import Status


class Listable(Protocol):
    @property
    def id(self) -> str: ...


class ListFilter(Protocol):
    @property
    def may_skip(self) -> bool:
        """Whether a query of a partition may examine many items that do not match."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What is listed: how its ids begin, and how many items each query of a partition examines."""

    prefix: str
    read_ahead: tuple[int, ...]


TOKENS = Listed(ids.PREFIX, (100, 800))


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
        """Of marks, each takes a read of its token."""
        return not self.undelivered and replace(self, idempotency_key=None) != Filter()


@dataclass(frozen=True, slots=True)
class ListQuery[F: ListFilter = Filter]:
    """A filter and a position. Cursors are bare ids; `before` overrides `after`. Times are epoch milliseconds, inclusive."""

    filter: F = Filter()  # type: ignore[assignment] # the default of F
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
class ListSlice[T: Listable]:
    items: Sequence[T] = ()
    next: str | None = None
    previous: str | None = None


type ReadRange[T: Listable] = Callable[[IdRange, int], tuple[list[T], str | None]]
"""Query one partition for a range, examining at most the given number of items. Returns those that match the filter, in
reading order, and the last id examined if there may be more."""


@dataclass(slots=True)
class _Partition[T: Listable]:
    """What has been read of a partition. `stopped_at` is the last id examined, if there may be more."""

    read: ReadRange[T]
    unread: IdRange
    found: list[T] = field(default_factory=list)
    stopped_at: str | None = None

    def read_on(self, limit: int) -> None:
        items, self.stopped_at = self.read(self.unread, limit)
        self.found += items
        if self.stopped_at:
            self.unread = _beyond(self.stopped_at, self.unread)


def read_slice[T: Listable, F: ListFilter](
    partitions: Sequence[ReadRange[T]], query: ListQuery[F], listed: Listed = TOKENS
) -> ListSlice[T]:
    """Return the requested items, merged from the partitions."""
    within = _id_range(query, listed.prefix)
    known, nearest = _read(partitions, within, query, listed.read_ahead) if within.first <= within.last else ([], None)
    shown = known[: query.size]
    further = shown[-1].id if len(known) > query.size else nearest
    if query.before is not None:
        shown.reverse()
        back_again = shown[-1].id if shown else query.before
        return ListSlice(shown, next=_cursor(back_again), previous=_cursor(further))
    return ListSlice(shown, next=_cursor(further), previous=_cursor(shown[0].id) if shown and query.after else None)


def _id_range[F: ListFilter](query: ListQuery[F], prefix: str) -> IdRange:
    first, last = prefix + ids.bare(ids.FIRST), prefix + ids.bare(ids.LAST)
    if query.created_from is not None:
        first = ids.first_of(query.created_from, prefix)
    if query.created_to is not None:
        last = ids.last_of(query.created_to, prefix)
    ascending = query.oldest_first is (query.before is None)  # what comes before a cursor is read against the order
    if cursor := query.before or query.after:
        if ascending:
            first = max(first, ids.next_to(prefix + cursor, 1))
        else:
            last = min(last, ids.next_to(prefix + cursor, -1))
    return IdRange(first, last, ascending)


def _read[T: Listable, F: ListFilter](
    readers: Sequence[ReadRange[T]], within: IdRange, query: ListQuery[F], read_ahead: tuple[int, ...]
) -> tuple[list[T], str | None]:
    """Return the matching items in reading order: more than the query asks for, if there are so many.

    Also returns the id up to which they are complete, or None if nothing is left to read.
    """
    limits = read_ahead if query.filter.may_skip else (query.size + 1,) * len(read_ahead)
    partitions = unfinished = [_Partition(read, within) for read in readers]
    with ThreadPoolExecutor(len(partitions)) as threads:
        for limit in limits:
            list(threads.map(_Partition.read_on, unfinished, repeat(limit)))  # raises what a read raised
            known, nearest = _merged(partitions, within.ascending)
            unfinished = [one for one in partitions if one.stopped_at and len(one.found) <= query.size]
            if len(known) > query.size or not unfinished:
                break
    return known, nearest


def _merged[T: Listable](partitions: list[_Partition[T]], ascending: bool) -> tuple[list[T], str | None]:
    """A partition that stopped early may lack tokens beyond that point, so cut all of them at the nearest one."""
    nearest = (min if ascending else max)((one.stopped_at for one in partitions if one.stopped_at), default=None)
    found = [item for one in partitions for item in one.found]
    known = [item for item in found if not nearest or (item.id <= nearest if ascending else item.id >= nearest)]
    known.sort(key=lambda item: item.id, reverse=not ascending)
    return known, nearest


def _beyond(item_id: str, within: IdRange) -> IdRange:
    """Return what is left to read of a range after this id."""
    if within.ascending:
        return IdRange(ids.next_to(item_id, 1), within.last, True)
    return IdRange(within.first, ids.next_to(item_id, -1), False)


def _cursor(item_id: str | None) -> str | None:
    return item_id and ids.bare(item_id)
