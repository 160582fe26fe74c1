"""What `make bench` takes for growth that must not be."""

from dataclasses import replace

import pytest

from benchmarks.growth import Size, over_budget
from benchmarks.large_table import Calls
from waitpoints.doctor.scan import AT_ONCE


def size(tokens: int) -> Size:
    """A table that costs what it should."""
    page, create = Calls([("Query", 0.5)] * 4), Calls([("PutItem", 1)])
    callback, scan = Calls([("UpdateItem", 1)] * 2), Calls([("Scan", tokens / 100)] * 10, most_at_once=AT_ONCE)
    return Size(tokens, page, create, callback, scan, seconds=tokens / 1e4, cpu_seconds=tokens / 1e4)


SIZES = [size(1_000), size(50_000), size(500_000)]


def test_a_doctor_that_grows_with_the_table_is_within_its_budget() -> None:
    assert over_budget(SIZES) == []


@pytest.mark.parametrize("name", ["page", "create", "callback"])
def test_a_request_may_not_cost_more_in_a_larger_table(name: str) -> None:
    larger = replace(SIZES[1])
    setattr(larger, name, Calls([("Query", 7)]))
    assert over_budget([SIZES[0], larger, SIZES[2]]) == [f"growth: a {name} costs more in a larger table"]


def test_the_doctor_may_not_grow_faster_than_the_table() -> None:
    doubled = Calls([("Scan", 2 * units) for _, units in SIZES[2].round.units], most_at_once=AT_ONCE)
    slower = replace(SIZES[2], round=doubled, cpu_seconds=SIZES[2].cpu_seconds * 2)
    assert over_budget([*SIZES[:2], slower]) == [
        "growth: the doctor's read units grow faster than the table, at 500,000 tokens",
        "growth: the doctor's time grows faster than the table, at 500,000 tokens",
    ]


def test_the_doctor_must_read_its_parts_at_once() -> None:
    one_by_one = replace(SIZES[2], round=Calls(SIZES[2].round.units, most_at_once=1))
    assert over_budget([*SIZES[:2], one_by_one]) == ["growth: the doctor read only 1 parts at once"]
