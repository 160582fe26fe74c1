"""The Python client's durations and instants, as the API reads them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitpoints_client import wire

from waitpoints import timeouts
from waitpoints.api import list_query

NOW = 1_800_000_000_000
SECONDS = st.integers(0, 10**10)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(SECONDS)
def test_the_api_reads_a_duration_as_it_was_meant(seconds: int) -> None:
    text = wire.duration(timedelta(seconds=seconds))

    assert timeouts.duration(text) == seconds * 1000
    assert wire.duration(seconds) == text
    assert wire.read_duration(text) == timedelta(seconds=seconds)


@given(st.integers(1, 10**9))
def test_a_list_reads_a_duration_as_it_was_meant(seconds: int) -> None:
    query = list_query.parse(f"filter[createdAt][period]={wire.duration(seconds)}", NOW)

    assert query.created_from == NOW - seconds * 1000


@given(st.from_regex(r"([0-9]{1,5}(w|d|hr|h|m|s)){1,8}", fullmatch=True))
def test_the_client_reads_every_duration_as_the_api_does(text: str) -> None:
    assert wire.read_duration(text) == timedelta(milliseconds=timeouts.duration(text))


@pytest.mark.slow
@given(st.datetimes(datetime(2000, 1, 1), datetime(9998, 1, 1), timezones=OFFSETS))  # noqa: DTZ001 - in each time zone
def test_the_api_reads_an_instant_as_it_was_meant(instant: datetime) -> None:
    milliseconds = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    assert timeouts.date(wire.instant(instant)) == milliseconds
