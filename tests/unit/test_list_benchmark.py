"""How `make bench` counts the reads of a list, and what it compares them with."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.large_table import Calls
from benchmarks.listing import Read, before, now, over_budget
from tests.unit.test_list import RARE, Partitions, tokens
from waitpoints.listing import Filter, ListQuery

UNITS = [("Query", 1.0)]


class TestCalls:
    def test_made_one_after_the_other_are_as_many_rounds(self) -> None:
        calls = Calls()
        for units in (1.0, 0.5):
            calls.begin()
            calls.end("Query", units)
        taken = calls.take()
        assert (taken.rounds, taken.most_at_once, taken.total) == (2, 1, 1.5)
        assert calls.take().units == []

    def test_made_at_the_same_time_are_one_round(self) -> None:
        calls, together = Calls(), threading.Barrier(4)

        def call(_: int) -> None:
            calls.begin()
            together.wait(timeout=10)
            calls.end("Query", 1.0)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(call, range(4)))
        taken = calls.take()
        assert (taken.rounds, taken.most_at_once, taken.total) == (1, 4, 4)


class TestTheReaderOfVersion010:
    def test_reads_the_same_page(self) -> None:
        partitions = Partitions(tokens([number % 7 == 0 for number in range(3_000)]), RARE)
        assert list(before(partitions(), ListQuery(RARE))) == list(now(partitions(), ListQuery(RARE)))

    def test_reads_each_partition_four_times_for_a_filter_that_matches_nothing(self) -> None:
        partitions = Partitions(tokens([False] * 9_000), RARE)
        before(partitions(), ListQuery(RARE))
        assert partitions.limits == [500] * 16

    def test_reads_each_partition_once_without_a_filter(self) -> None:
        partitions = Partitions(tokens([True] * 200))
        before(partitions(), ListQuery())
        assert partitions.limits == [26] * 4


def read(units: float, milliseconds: float) -> Read:
    return Read((), Calls([("Query", units)]), [milliseconds])


@pytest.mark.parametrize(
    ("wanted", "own", "missed"),
    [
        (RARE, read(50, 25), []),
        (RARE, read(51, 25), ["list, x: 51 read units"]),
        (RARE, read(50, 26), ["list, x: 0.26 of the time of 0.1.0"]),
        (Filter(), read(100, 100), []),
        (Filter(), read(101, 1), ["list, x: 101 read units"]),
    ],
)
def test_a_filter_that_matches_little_has_a_budget(wanted: Filter, own: Read, missed: list[str]) -> None:
    assert over_budget("x", wanted, own, read(100, 100)) == missed
