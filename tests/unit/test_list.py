"""Pages of tokens: each token once, newest first, in both directions and with every filter."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.api_gateway import TOKENS, Api
from tests.support.fakes.in_memory import InMemory
from tests.support.settling import complete
from waitpoints import ids
from waitpoints.api.list_query import parse
from waitpoints.errors import InvalidRequest
from waitpoints.listing import Filter, IdRange, ListQuery, Page, page
from waitpoints.token import Status, TimedOut, Token

NOW = 1_800_000_000_000
SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000


class Partitions:
    """An index of a few partitions, which counts how often it is read."""

    def __init__(self, tokens: list[Token], wanted: Filter = Filter(), shards: int = 4) -> None:
        self.reads = 0
        self._wanted = wanted
        self._shards: list[list[Token]] = [tokens[shard::shards] for shard in range(shards)]

    def __call__(self) -> list[Any]:
        return [lambda within, limit, tokens=tokens: self._read(tokens, within, limit) for tokens in self._shards]

    def _read(self, tokens: list[Token], within: IdRange, limit: int) -> tuple[list[Token], str | None]:
        self.reads += 1
        inside = [token for token in tokens if within.first <= token.id <= within.last]
        inside.sort(key=lambda token: token.id, reverse=not within.backward)
        looked_at = inside[:limit]
        passing = [token for token in looked_at if not self._wanted.tags or self._wanted.tags.intersection(token.tags)]
        return passing, looked_at[-1].id if len(inside) >= limit and looked_at else None


def tokens(tagged: list[bool]) -> list[Token]:
    made = [Token(id=ids.new_id(NOW + n), created_at=NOW + n, tags=("a",) if tag else ()) for n, tag in enumerate(tagged)]
    return sorted(made, key=lambda token: token.id)


def walk(partitions: Partitions, query: ListQuery, forward: bool = True) -> list[Page]:
    """Every page from the query's page on, in one direction."""
    pages = []
    while True:
        found = page(partitions(), query)
        pages.append(found)
        cursor = found.next if forward else found.previous
        if cursor is None:
            return pages
        assert len(pages) < 1000, "it never ends"
        query = ListQuery(query.filter, query.size, after=cursor if forward else None, before=None if forward else cursor)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 12), st.booleans())
def test_following_next_returns_every_token_once_newest_first(tagged: list[bool], size: int, filtered: bool) -> None:
    every = tokens(tagged)
    wanted = Filter(tags=frozenset({"a"})) if filtered else Filter()
    pages = walk(Partitions(every, wanted), ListQuery(wanted, size))
    expected = [token.id for token in reversed(every) if token.tags or not filtered]
    assert [token.id for found in pages for token in found.tokens] == expected
    assert all(len(found.tokens) <= size for found in pages)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 12), st.booleans())
def test_following_previous_from_the_end_returns_every_token_once(tagged: list[bool], size: int, filtered: bool) -> None:
    every = tokens(tagged)
    wanted = Filter(tags=frozenset({"a"})) if filtered else Filter()
    beyond = ids.first_of(NOW - 1).removeprefix("waitpoint_")
    pages = walk(Partitions(every, wanted), ListQuery(wanted, size, before=beyond), forward=False)
    shown = [token.id for found in reversed(pages) for token in found.tokens]
    assert shown == [token.id for token in reversed(every) if token.tags or not filtered]


def test_a_page_takes_a_bounded_number_of_reads_however_rare_matches_are() -> None:
    every = tokens([False] * 9_000)
    partitions = Partitions(every, Filter(tags=frozenset({"a"})))
    found = page(partitions(), ListQuery(Filter(tags=frozenset({"a"}))))
    assert found.tokens == []
    assert found.next is not None
    assert partitions.reads <= 16


def test_the_first_page_has_no_previous_and_the_last_page_no_next() -> None:
    every = tokens([True] * 5)
    first, middle, last = walk(Partitions(every), ListQuery(size=2))
    assert (first.previous, last.next) == (None, None)
    assert first.next == first.tokens[-1].id.removeprefix("waitpoint_")
    assert middle.previous == middle.tokens[0].id.removeprefix("waitpoint_")


def test_before_wins_over_after() -> None:
    every = tokens([True] * 5)
    cursor = every[2].id.removeprefix("waitpoint_")
    both = page(Partitions(every)(), ListQuery(after=cursor, before=cursor))
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
    ],
)
def test_an_invalid_parameter_is_refused_and_named(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(f"{quote(name)}={quote(value)}", NOW)
    assert name in refused.value.message


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

    def test_without_tokens_returns_an_empty_page(self, api: Api) -> None:
        assert api.get(TOKENS).json == {"data": [], "pagination": {}}
