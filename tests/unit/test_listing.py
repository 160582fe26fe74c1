"""Slices of the list: each token once, in both orders, in both directions and with every filter."""

import threading
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in_process.api_gateway import TOKENS, Api
from tests.support.fakes.in_memory import InMemory
from tests.support.settling import complete
from waitpoints import ids
from waitpoints.api.list_query import parse
from waitpoints.errors import InvalidRequest
from waitpoints.listing import READ_AHEAD, Filter, IdRange, ListQuery, Slice, read_slice
from waitpoints.token import Status, TimedOut, Token

NOW = 1_800_000_000_000
SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000


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


def walk(partitions: Partitions, query: ListQuery, forward: bool = True) -> list[Slice]:
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
    assert [token.id for found in slices for token in found.tokens] == in_order(every, query)
    assert all(len(found.tokens) <= query.size for found in slices)


@given(st.lists(st.booleans(), min_size=1, max_size=60), queries())
def test_following_previous_from_the_end_returns_every_token_once(tagged: list[bool], query: ListQuery) -> None:
    every = tokens(tagged)
    end = ids.last_of(NOW + DAY) if query.oldest_first else ids.first_of(NOW - 1)
    slices = walk(Partitions(every, query.filter), replace(query, before=end.removeprefix("waitpoint_")), forward=False)
    shown = [token.id for found in reversed(slices) for token in found.tokens]
    assert shown == in_order(every, query)


@given(st.lists(st.booleans(), min_size=1, max_size=60), queries())
def test_previous_returns_from_each_page_to_the_one_before(tagged: list[bool], query: ListQuery) -> None:
    partitions = Partitions(tokens(tagged), query.filter)
    slices = walk(partitions, query)
    for earlier, later in pairwise(slices):
        back = read_slice(partitions(), replace(query, before=later.previous)) if later.tokens else earlier
        assert back.tokens == earlier.tokens


def test_the_order_does_not_change_which_creation_times_are_listed() -> None:
    every = tokens([True] * 9)
    within = ListQuery(created_from=NOW + 2, created_to=NOW + 6, size=2)
    for query in (within, replace(within, oldest_first=True)):
        shown = [token.id for found in walk(Partitions(every), query) for token in found.tokens]
        assert sorted(shown) == [token.id for token in every[2:7]]


RARE = Filter(tags=frozenset({"a"}))


@pytest.mark.parametrize("oldest_first", [False, True])
def test_a_list_takes_a_bounded_number_of_reads_however_rare_matches_are(oldest_first: bool) -> None:
    partitions = Partitions(tokens([False] * 9_000), RARE)
    found = read_slice(partitions(), ListQuery(RARE, oldest_first=oldest_first))
    assert found.tokens == []
    assert found.next is not None
    assert sorted(partitions.limits) == sorted(READ_AHEAD * 4)
    assert len(partitions.limits) <= 8
    assert sum(partitions.limits) <= 4_000  # about 80 read units


def test_a_page_without_a_filter_reads_each_partition_once_and_no_further_than_a_page() -> None:
    partitions = Partitions(tokens([True] * 9_000))
    read_slice(partitions(), ListQuery(size=25))
    assert partitions.limits == [26] * 4


def test_a_filter_that_matches_much_reads_no_further_than_it_needs() -> None:
    partitions = Partitions(tokens([number % 10 == 0 for number in range(9_000)]), RARE, shards=3)
    assert len(read_slice(partitions(), ListQuery(RARE, size=25)).tokens) == 25
    assert partitions.limits == [READ_AHEAD[0]] * 3


def test_a_partition_that_has_a_page_already_is_not_read_on() -> None:
    every = tokens([False] * 2_000 + [True] * 500)
    rare, common = Partitions(every[:2_000], RARE, shards=1), Partitions(every[2_000:], RARE, shards=1)
    read_slice([*common(), *rare()], ListQuery(RARE, oldest_first=True))
    assert common.limits == [READ_AHEAD[0]]
    assert rare.limits == list(READ_AHEAD)


def test_all_partitions_are_read_at_the_same_time() -> None:
    together = threading.Barrier(4)

    def read(within: IdRange, limit: int) -> tuple[list[Token], str | None]:
        together.wait(timeout=10)  # raises if the others do not come
        return [], None

    assert read_slice([read] * 4, ListQuery()).tokens == []


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
        "completed_from": 0,
        "completed_to": 0,
        "output_is_error": False,
    }
    assert {field.name for field in fields(Filter)} == {*others, "idempotency_key", "undelivered"}
    assert all(Filter(**{name: value}).may_skip for name, value in others.items())
    assert not Filter(idempotency_key="order 1").may_skip
    assert not Filter(undelivered=True).may_skip  # it reads each token


def test_the_first_page_has_no_previous_and_the_last_page_no_next() -> None:
    every = tokens([True] * 5)
    first, middle, last = walk(Partitions(every), ListQuery(size=2))
    assert (first.previous, last.next) == (None, None)
    assert first.next == first.tokens[-1].id.removeprefix("waitpoint_")
    assert middle.previous == middle.tokens[0].id.removeprefix("waitpoint_")


def test_before_wins_over_after() -> None:
    every = tokens([True] * 5)
    cursor = every[2].id.removeprefix("waitpoint_")
    both = read_slice(Partitions(every)(), ListQuery(after=cursor, before=cursor))
    assert [token.id for token in both.tokens] == [every[4].id, every[3].id]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, ListQuery()),
        ({"page[size]": "100"}, ListQuery(size=100)),
        ({"page[after]": "0" * 26}, ListQuery(after="0" * 26)),
        ({"page[before]": "0" * 26}, ListQuery(before="0" * 26)),
        ({"filter[status]": ""}, ListQuery()),
        (
            {"filter[status]": "WAITING,TIMED_OUT"},
            ListQuery(Filter(statuses=frozenset({Status.WAITING, Status.TIMED_OUT}))),
        ),
        ({"filter[tags]": "a,b"}, ListQuery(Filter(tags=frozenset({"a", "b"})))),
        ({"filter[idempotencyKey]": "order 1"}, ListQuery(Filter(idempotency_key="order 1"))),
        ({"filter[createdAt][period]": "24h"}, ListQuery(created_from=NOW - DAY)),
        ({"filter[createdAt][period]": "1 week"}, ListQuery(created_from=NOW - 7 * DAY)),
        ({"filter[createdAt][period]": "1.5h"}, ListQuery(created_from=NOW - 3 * HOUR // 2)),
        ({"filter[createdAt][period]": "1h 30m"}, ListQuery(created_from=NOW - 3 * HOUR // 2)),
        ({"filter[createdAt][period]": "5000"}, ListQuery(created_from=NOW - 5 * SECOND)),
        (
            {"filter[createdAt][from]": str(NOW), "filter[createdAt][to]": str(NOW + 1)},
            ListQuery(created_from=NOW, created_to=NOW + 1),
        ),
        ({"filter[createdAt][from]": "2027-01-15T08:00:00Z"}, ListQuery(created_from=NOW)),
        ({"filter[createdAt][from]": str(NOW), "filter[createdAt][period]": "7d"}, ListQuery(created_from=NOW)),
        ({"sort": ""}, ListQuery()),
        ({"sort": "-createdAt"}, ListQuery()),
        ({"sort": "createdAt"}, ListQuery(oldest_first=True)),
        ({"filter[completedAt][period]": "24h"}, ListQuery(Filter(completed_from=NOW - DAY))),
        ({"filter[completedAt][from]": str(NOW), "filter[completedAt][period]": "7d"}, ListQuery(Filter(completed_from=NOW))),
        ({"filter[completedAt][to]": "2027-01-15T08:00:00Z"}, ListQuery(Filter(completed_to=NOW))),
        ({"filter[outputIsError]": "true"}, ListQuery(Filter(output_is_error=True))),
        ({"filter[outputIsError]": "false"}, ListQuery(Filter(output_is_error=False))),
        ({"filter[outputIsError]": ""}, ListQuery()),
        ({"filter[undelivered]": ""}, ListQuery()),
        (
            {"filter[undelivered]": "true", "page[size]": "3", "sort": "createdAt", "filter[createdAt][from]": str(NOW)},
            ListQuery(Filter(undelivered=True), 3, created_from=NOW, oldest_first=True),
        ),
        ({"filter[undelivered]": "true", "filter[status]": ""}, ListQuery(Filter(undelivered=True))),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_query_string_is_parsed_as_the_sdk_writes_it(written: dict[str, str], expected: ListQuery) -> None:
    assert parse(urlencode(written), NOW) == expected


def test_the_last_of_a_repeated_parameter_wins() -> None:
    assert parse("page%5Bsize%5D=5&page%5Bsize%5D=7", NOW).size == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("page[size]", value) for value in ("", "0", "101", "-1", "1.5", "x", "9999999999")),
        *(("page[after]", value) for value in ("x", "0" * 25, "u" * 26)),
        *(("filter[status]", value) for value in ("waiting", "DONE", "WAITING,", ",")),
        *(("filter[createdAt][from]", value) for value in ("yesterday", "2030-02-30", "1e3")),
        *(("filter[createdAt][period]", value) for value in ("soon", "h", "1 parsec", "-1h")),
        *(("filter[completedAt][from]", value) for value in ("yesterday", "2030-02-30", "1e3")),
        ("filter[completedAt][to]", "tomorrow"),
        ("filter[completedAt][period]", "soon"),
        *(("sort", value) for value in ("completedAt", "createdat", "+createdAt", "desc")),
        *(("filter[outputIsError]", value) for value in ("True", "1", "yes")),
        *(("filter[undelivered]", value) for value in ("false", "True", "1")),
    ],
)
def test_an_invalid_parameter_is_refused_and_named(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(f"{quote(name)}={quote(value)}", NOW)
    assert name in refused.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("filter[status]", "COMPLETED"),
        ("filter[idempotencyKey]", "order 1"),
        ("filter[tags]", "a"),
        ("filter[completedAt][from]", str(NOW)),
        ("filter[outputIsError]", "false"),
    ],
)
def test_undelivered_goes_with_no_other_filter(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(urlencode({"filter[undelivered]": "true", name: value}), NOW)
    assert refused.value.message == (
        "Query Error: filter[undelivered] goes with sort, page[size], page[after], page[before], filter[createdAt][period], "
        f"filter[createdAt][from], filter[createdAt][to] alone, not with {name}"
    )


@given(st.text())
def test_any_query_string_is_parsed_or_refused(raw: str) -> None:
    try:
        query = parse(raw, NOW)
    except InvalidRequest:
        return
    assert 1 <= query.size <= 100


class TestTheListRoute:
    def ids(self, api: Api, query: str = "") -> list[str]:
        answer = api.get(f"{TOKENS}?{query}")
        assert answer.status == 200, answer.text
        return [token["id"] for token in answer.json["data"]]

    def made(self, api: Api, world: InMemory, number: int, **fields: Any) -> list[str]:
        made: list[str] = []
        for _ in range(number):
            world.clock.advance(1)
            made.insert(0, api.create(**fields)["id"])
        return made

    def test_returns_the_newest_twenty_five_and_a_cursor(self, api: Api, world: InMemory) -> None:
        made = self.made(api, world, 30)
        first = api.get(TOKENS).json
        assert [token["id"] for token in first["data"]] == made[:25]
        assert set(first["pagination"]) == {"next"}
        second = api.get(f"{TOKENS}?page%5Bafter%5D={first['pagination']['next']}").json
        assert [token["id"] for token in second["data"]] == made[25:]
        assert set(second["pagination"]) == {"previous"}
        back = api.get(f"{TOKENS}?page%5Bbefore%5D={second['pagination']['previous']}").json
        assert [token["id"] for token in back["data"]] == made[:25]

    def test_computes_the_status_from_the_clock(self, api: Api, world: InMemory) -> None:
        [timed] = self.made(api, world, 1, timeout="2s")
        [waiting] = self.made(api, world, 1)
        [done] = self.made(api, world, 1)
        complete(world.tokens, done, "1")
        world.clock.advance(2 * SECOND)
        assert self.ids(api, "filter%5Bstatus%5D=WAITING") == [waiting]
        assert self.ids(api, "filter%5Bstatus%5D=WAITING%2CTIMED_OUT") == [waiting, timed]
        assert self.ids(api, "filter%5Bstatus%5D=COMPLETED") == [done]
        shown = {token["id"]: token for token in api.get(TOKENS).json["data"]}
        assert shown[timed]["status"] == "TIMED_OUT"
        assert world.store.tokens[timed].outcome_at(world.clock()) == TimedOut(world.clock.now - 2)

    def test_filters_by_tag_and_by_key_and_by_time(self, api: Api, world: InMemory) -> None:
        [old] = self.made(api, world, 1, tags=["a", "b"])
        world.clock.advance(HOUR)
        [new] = self.made(api, world, 1, tags=["c"], idempotencyKey="order 1")
        assert self.ids(api, "filter%5Btags%5D=b%2Cx") == [old]
        assert self.ids(api, "filter%5BidempotencyKey%5D=order%201") == [new]
        assert self.ids(api, "filter%5BcreatedAt%5D%5Bperiod%5D=30m") == [new]
        assert self.ids(api, f"filter%5BcreatedAt%5D%5Bto%5D={world.clock.now - HOUR}") == [old]

    def test_shows_what_waits_longest(self, api: Api, world: InMemory) -> None:
        made = self.made(api, world, 5)
        complete(world.tokens, made[-1], "1")
        waiting = "filter%5Bstatus%5D=WAITING&sort=createdAt"
        assert self.ids(api, waiting) == made[3::-1]
        first = api.get(f"{TOKENS}?{waiting}&page%5Bsize%5D=2").json
        assert self.ids(api, f"{waiting}&page%5Bsize%5D=2&page%5Bafter%5D={first['pagination']['next']}") == [made[1], made[0]]

    def test_filters_by_the_time_of_the_end(self, api: Api, world: InMemory) -> None:
        [timed] = self.made(api, world, 1, timeout="1h")
        [done] = self.made(api, world, 1)
        self.made(api, world, 1)
        world.clock.advance(2 * HOUR)
        complete(world.tokens, done, "1")
        assert self.ids(api, "filter%5BcompletedAt%5D%5Bperiod%5D=30m") == [done]
        assert self.ids(api, "filter%5BcompletedAt%5D%5Bperiod%5D=3h") == [done, timed]
        assert self.ids(api, f"filter%5BcompletedAt%5D%5Bto%5D={world.clock.now - HOUR // 2}") == [timed]

    def test_shows_and_filters_what_failed(self, api: Api, world: InMemory) -> None:
        [timed] = self.made(api, world, 1, timeout="1h")
        [failed, done, waiting] = self.made(api, world, 3)
        complete(world.tokens, done, "1")
        assert api.post(f"{TOKENS}/{failed}/complete", {"error": {"message": "cancelled"}}).status == 200
        world.clock.advance(HOUR)
        assert self.ids(api, "filter%5BoutputIsError%5D=true") == [failed, timed]
        assert self.ids(api, "filter%5BoutputIsError%5D=false") == [done, waiting]
        assert self.ids(api, "filter%5BoutputIsError%5D=true&filter%5Bstatus%5D=COMPLETED") == [failed]
        shown = {token["id"]: (token["status"], token["outputIsError"]) for token in api.get(TOKENS).json["data"]}
        assert shown == {
            waiting: ("WAITING", False),
            done: ("COMPLETED", False),
            failed: ("COMPLETED", True),
            timed: ("TIMED_OUT", True),
        }

    def test_without_tokens_returns_an_empty_page(self, api: Api) -> None:
        assert api.get(TOKENS).json == {"data": [], "pagination": {}}
