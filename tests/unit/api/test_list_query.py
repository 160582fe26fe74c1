"""The parameters of a list."""

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints.api.list_query import parse
from waitpoints.errors import InvalidRequest
from waitpoints.listing import Filter, ListQuery
from waitpoints.token import Status

NOW = 1_800_000_000_000
SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000


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
