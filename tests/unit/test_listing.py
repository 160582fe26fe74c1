"""Slices of the list: each token once, in both orders, in both directions and with every filter."""

import threading
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.patience import PATIENCE
from waitpoints import ids
from waitpoints.listing import TOKENS, Filter, IdRange, ListQuery, ListSlice, read_slice
from waitpoints.token import Status, Token

NOW = 1_800_000_000_000
DAY = 86_400_000


class Partitions:
    """An index of a few partitions, which notes the limit of each read."""

    def __init__(self, tokens: list[Token], wanted: Filter = Filter(), shards: int = 4) -> None:
        self.limits: list[int] = []
        self._wanted = wanted
        self._shards: list[list[Token]] = [tokens[shard::shards] for shard in range(shards)]

    def __call__(self) -> list[Any]:
        return [lambda within, limit, tokens=tokens: self._read(tokens, within, limit) for tokens in self._shards]

    def _read(self, tokens: list[Token], within: IdRange, limit: int) -> tuple[list[Token], str | None]:
        self.limits.append(limit)
        inside = [token for token in tokens if within.first <= token.id <= within.last]
        inside.sort(key=lambda token: token.id, reverse=not within.ascending)
        looked_at = inside[:limit]
        passing = [token for token in looked_at if not self._wanted.tags or self._wanted.tags.intersection(token.tags)]
        return passing, looked_at[-1].id if len(inside) >= limit and looked_at else None


def tokens(tagged: list[bool]) -> list[Token]:
    made = [Token(id=ids.new_id(NOW + n), created_at=NOW + n, tags=("a",) if tag else ()) for n, tag in enumerate(tagged)]
    return sorted(made, key=lambda token: token.id)


def walk(partitions: Partitions, query: ListQuery, forward: bool = True) -> list[ListSlice[Token]]:
    """Every slice from the query on, in one direction."""
    slices = []
    while True:
        found = read_slice(partitions(), query)
        slices.append(found)
        cursor = found.next if forward else found.previous
        if cursor is None:
            return slices
        assert len(slices) < 1000, "it never ends"
        query = replace(query, after=cursor if forward else None, before=None if forward else cursor)


def in_order(every: list[Token], query: ListQuery) -> list[str]:
    found = [token.id for token in every if token.tags or not query.filter.tags]
    return found if query.oldest_first else found[::-1]


def queries() -> st.SearchStrategy[ListQuery]:
    filters = st.sampled_from([Filter(), Filter(tags=frozenset({"a"}))])
    return st.builds(ListQuery, filters, st.integers(1, 12), oldest_first=st.booleans())


@given(st.lists(st.booleans(), max_size=60), queries())
def test_following_next_returns_every_token_once_in_order(tagged: list[bool], query: ListQuery) -> None:
    every = tokens(tagged)
    slices = walk(Partitions(every, query.filter), query)
    assert [token.id for found in slices for token in found.items] == in_order(every, query)
    assert all(len(found.items) <= query.size for found in slices)


@given(st.lists(st.booleans(), min_size=1, max_size=60), queries())
def test_following_previous_from_the_end_returns_every_token_once(tagged: list[bool], query: ListQuery) -> None:
    every = tokens(tagged)
    end = ids.last_of(NOW + DAY) if query.oldest_first else ids.first_of(NOW - 1)
    slices = walk(Partitions(every, query.filter), replace(query, before=end.removeprefix("waitpoint_")), forward=False)
    shown = [token.id for found in reversed(slices) for token in found.items]
    assert shown == in_order(every, query)


@given(st.lists(st.booleans(), min_size=1, max_size=60), queries())
def test_previous_returns_from_each_page_to_the_one_before(tagged: list[bool], query: ListQuery) -> None:
    partitions = Partitions(tokens(tagged), query.filter)
    slices = walk(partitions, query)
    for earlier, later in pairwise(slices):
        back = read_slice(partitions(), replace(query, before=later.previous)) if later.items else earlier
        assert back.items == earlier.items


def test_the_order_does_not_change_which_creation_times_are_listed() -> None:
    every = tokens([True] * 9)
    within = ListQuery(created_from=NOW + 2, created_to=NOW + 6, size=2)
    for query in (within, replace(within, oldest_first=True)):
        shown = [token.id for found in walk(Partitions(every), query) for token in found.items]
        assert sorted(shown) == [token.id for token in every[2:7]]


RARE = Filter(tags=frozenset({"a"}))


@pytest.mark.parametrize("oldest_first", [False, True])
def test_a_list_takes_a_bounded_number_of_reads_however_rare_matches_are(oldest_first: bool) -> None:
    partitions = Partitions(tokens([False] * 9_000), RARE)
    found = read_slice(partitions(), ListQuery(RARE, oldest_first=oldest_first))
    assert found.items == []
    assert found.next is not None
    assert sorted(partitions.limits) == sorted(TOKENS.read_ahead * 4)
    assert len(partitions.limits) <= 8
    assert sum(partitions.limits) <= 4_000  # about 80 read units


def test_a_page_without_a_filter_reads_each_partition_once_and_no_further_than_a_page() -> None:
    partitions = Partitions(tokens([True] * 9_000))
    read_slice(partitions(), ListQuery(size=25))
    assert partitions.limits == [26] * 4


def test_a_filter_that_matches_much_reads_no_further_than_it_needs() -> None:
    partitions = Partitions(tokens([number % 10 == 0 for number in range(9_000)]), RARE, shards=3)
    assert len(read_slice(partitions(), ListQuery(RARE, size=25)).items) == 25
    assert partitions.limits == [TOKENS.read_ahead[0]] * 3


def test_a_partition_that_has_a_page_already_is_not_read_on() -> None:
    every = tokens([False] * 2_000 + [True] * 500)
    rare, common = Partitions(every[:2_000], RARE, shards=1), Partitions(every[2_000:], RARE, shards=1)
    read_slice([*common(), *rare()], ListQuery(RARE, oldest_first=True))
    assert common.limits == [TOKENS.read_ahead[0]]
    assert rare.limits == list(TOKENS.read_ahead)


def test_all_partitions_are_read_at_the_same_time() -> None:
    together = threading.Barrier(4)

    def read(within: IdRange, limit: int) -> tuple[list[Token], str | None]:
        together.wait(timeout=PATIENCE)  # raises if the others do not come
        return [], None

    assert read_slice([read] * 4, ListQuery()).items == []


@pytest.mark.parametrize("failing", range(4))
def test_a_page_fails_if_one_partition_cannot_be_read(failing: int) -> None:
    def read(within: IdRange, limit: int) -> tuple[list[Token], str | None]:
        raise ConnectionError

    readers = Partitions(tokens([True] * 40))()
    readers[failing] = read
    with pytest.raises(ConnectionError):
        read_slice(readers, ListQuery())


def test_every_filter_of_an_index_but_the_key_reads_ahead() -> None:
    """With any of them a read may return few tokens, so it must examine more than was asked for."""
    others: dict[str, Any] = {
        "statuses": frozenset({Status.WAITING}),
        "tags": frozenset({"a"}),
        "only_tag": "a",
        "completed_from": 0,
        "completed_to": 0,
        "output_is_error": False,
    }
    assert {field.name for field in fields(Filter)} == {*others, "idempotency_key", "undelivered"}
    assert all(Filter(**{name: value}).may_skip for name, value in others.items())
    assert not Filter(idempotency_key="order 1").may_skip
    assert not any(Filter(undelivered=True, only_tag=tag).may_skip for tag in (None, "a"))  # it reads each token


def test_the_first_page_has_no_previous_and_the_last_page_no_next() -> None:
    every = tokens([True] * 5)
    first, middle, last = walk(Partitions(every), ListQuery(size=2))
    assert (first.previous, last.next) == (None, None)
    assert first.next == first.items[-1].id.removeprefix("waitpoint_")
    assert middle.previous == middle.items[0].id.removeprefix("waitpoint_")


def test_before_wins_over_after() -> None:
    every = tokens([True] * 5)
    cursor = every[2].id.removeprefix("waitpoint_")
    both = read_slice(Partitions(every)(), ListQuery(after=cursor, before=cursor))
    assert [token.id for token in both.items] == [every[4].id, every[3].id]
