"""Pages of tokens, newest or oldest first (contract L1), in a bounded number of reads.

An index keeps tokens in a few partitions, each sorted by id. A page merges one range of ids from each partition.
Because a filter may skip any number of tokens, each partition is read with at most MAX_READS queries of READ_AHEAD
tokens. If that limit is reached, the page may be short or even empty, and its cursor continues where reading stopped.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from waitpoints import ids
from waitpoints.token import Status, Token

MAX_READS = 4
READ_AHEAD = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Select tokens that meet every condition. An empty set or None matches every token.

    With `undelivered`, they have a waiter that could not be resumed; the other conditions then don't apply. Else they have
    one of `statuses`, one of `tags`, ended at `completed_from` or later and at `completed_to` or earlier (epoch
    milliseconds; a token that waits has not ended), and have an error as their output or not.
    """

    statuses: frozenset[Status] = frozenset()
    tags: frozenset[str] = frozenset()
    idempotency_key: str | None = None
    completed_from: int | None = None
    completed_to: int | None = None
    output_is_error: bool | None = None
    undelivered: bool = False

    @property
    def may_skip(self) -> bool:
        """Whether a query of an index may examine many tokens that do not match."""
        return replace(self, idempotency_key=None, undelivered=False) != Filter()


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
class Page:
    tokens: Sequence[Token] = ()
    next: str | None = None
    previous: str | None = None


ReadRange = Callable[[IdRange, int], tuple[list[Token], str | None]]
"""Query one partition for a range, examining at most the given number of tokens. Returns those that match the filter, in
reading order, and the last id examined if there may be more."""


def page(partitions: Iterable[ReadRange], query: ListQuery) -> Page:
    """Return the requested page, merged from the partitions of an index."""
    within = _id_range(query)
    found: list[Token] = []
    read_to: list[str] = []
    for read in partitions if within.first <= within.last else ():
        tokens, stopped_at = _read_far_enough(read, within, query)
        found += tokens
        if stopped_at:
            read_to.append(stopped_at)
    # A partition that stopped early may lack tokens beyond that point, so cut the page at the nearest one.
    nearest = (min if within.ascending else max)(read_to, default=None)
    known = [token for token in found if not nearest or (token.id <= nearest if within.ascending else token.id >= nearest)]
    known.sort(key=lambda token: token.id, reverse=not within.ascending)
    shown = known[: query.size]
    further = shown[-1].id if len(known) > query.size else nearest
    if query.before is not None:
        shown.reverse()
        back_again = shown[-1].id if shown else query.before
        return Page(shown, next=_cursor(back_again), previous=_cursor(further))
    return Page(shown, next=_cursor(further), previous=_cursor(shown[0].id) if shown and query.after else None)


def _id_range(query: ListQuery) -> IdRange:
    first, last = ids.FIRST, ids.LAST
    if query.created_from is not None:
        first = ids.first_of(query.created_from)
    if query.created_to is not None:
        last = ids.last_of(query.created_to)
    ascending = query.oldest_first is (query.before is None)  # the page before a cursor is read against the order
    if cursor := query.before or query.after:
        if ascending:
            first = max(first, ids.next_to(ids.PREFIX + cursor, 1))
        else:
            last = min(last, ids.next_to(ids.PREFIX + cursor, -1))
    return IdRange(first, last, ascending)


def _read_far_enough(read: ReadRange, within: IdRange, query: ListQuery) -> tuple[list[Token], str | None]:
    """Read one token more than the page holds, if there are so many. Also returns the last id examined if there may be more."""
    found: list[Token] = []
    limit = READ_AHEAD if query.filter.may_skip else query.size + 1
    for _ in range(MAX_READS):
        tokens, stopped_at = read(within, limit)
        found += tokens
        if stopped_at is None or len(found) > query.size:
            return found, stopped_at
        step = ids.next_to(stopped_at, 1 if within.ascending else -1)
        within = IdRange(step, within.last, True) if within.ascending else IdRange(within.first, step, False)
    return found, stopped_at


def _cursor(token_id: str | None) -> str | None:
    return token_id and token_id.removeprefix(ids.PREFIX)
