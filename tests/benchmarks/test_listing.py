"""How `make bench` counts the reads of a list."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.large_table import Calls
from benchmarks.listing import Budget, over_budget


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


@pytest.mark.parametrize(
    ("units", "rounds", "missed"),
    [
        ([2.0, 2.0], 1, []),
        ([1.0, 1.0, 1.0], 1, ["list, x: 3 queries"]),
        ([2.0, 2.5], 2, ["list, x: 2 rounds", "list, x: 4.5 read units"]),
    ],
)
def test_a_page_has_a_budget(units: list[float], rounds: int, missed: list[str]) -> None:
    assert over_budget("x", Calls([("Query", each) for each in units], rounds), Budget(2, 1, 4)) == missed
