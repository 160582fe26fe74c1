"""Deliveries to endpoints are counted one by one, or together above the rate of writes."""

import io
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_process.fakes.clock import FakeClock
from waitpoints.endpoint import DeliveryKind, EndpointStatistics, LastDelivery
from waitpoints.endpoint_tally import BURST, WRITES_PER_SECOND, EndpointTally

COMPLETED, KEPT, REFUSED = DeliveryKind.COMPLETED, DeliveryKind.KEPT, DeliveryKind.REFUSED
BUSY, QUIET = "a" * 24, "b" * 24
PAUSE = 1000 // WRITES_PER_SECOND  # milliseconds


@dataclass
class Table:
    """What was written for each endpoint, and how often."""

    fails: bool = False
    writes: int = 0
    written: dict[str, EndpointStatistics] = field(default_factory=dict)

    def count(self, secret_id: str, added: EndpointStatistics) -> None:
        self.writes += 1
        if self.fails:
            raise ConnectionError("no answer")
        assert added.counts
        self.written[secret_id] = self.written.get(secret_id, EndpointStatistics()) + added

    def counts(self, secret_id: str = BUSY) -> dict[DeliveryKind, int]:
        return dict(self.written[secret_id].counts)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def tally(table: Table, clock: FakeClock) -> EndpointTally:
    return EndpointTally(table.count, clock)


@pytest.fixture
def count(tally: EndpointTally, clock: FakeClock) -> Any:
    def count(number: int = 1, kind: DeliveryKind = COMPLETED, secret_id: str = BUSY) -> None:
        for _ in range(number):
            tally.count(secret_id, kind, LastDelivery(at=clock()))

    return count


def test_above_the_rate_deliveries_wait_for_the_next_write(count: Any, table: Table, clock: FakeClock) -> None:
    count(1000)
    count(500, KEPT)
    assert table.writes == BURST
    assert table.counts() == {COMPLETED: BURST}
    clock.advance(PAUSE - 1)
    count(1, REFUSED)
    assert table.writes == BURST
    clock.advance(1)
    count(1, REFUSED)
    assert table.writes == BURST + 1
    assert table.counts() == {COMPLETED: 1000, KEPT: 500, REFUSED: 2}
    clock.advance(PAUSE)
    count()
    assert table.counts() == {COMPLETED: 1001, KEPT: 500, REFUSED: 2}


def test_the_last_delivery_of_each_kind_is_written(tally: EndpointTally, count: Any, table: Table, clock: FakeClock) -> None:
    count(BURST)
    for kind, key in ((KEPT, "first"), (KEPT, "last"), (REFUSED, "only")):
        tally.count(BUSY, kind, LastDelivery(at=clock(), key=key))
    clock.advance(PAUSE)
    count()
    assert {kind: last.key for kind, last in table.written[BUSY].last.items()} == {
        KEPT: "last",
        REFUSED: "only",
        COMPLETED: None,
    }


def test_texts_are_cut_and_can_be_stored(tally: EndpointTally, table: Table, clock: FakeClock) -> None:
    """A long text would make each count cost more, and half a surrogate pair would make every later one fail."""
    long = LastDelivery(at=clock(), ip="", user_agent="x" * 257, delivery_id="d" * 257, key="k" * 2048, detail="\ud800")
    tally.count(BUSY, KEPT, long)
    expected = LastDelivery(at=clock(), user_agent="x" * 256, delivery_id="d" * 256, key="k" * 256, detail="?")
    assert table.written[BUSY].last == {KEPT: expected}


def test_after_a_pause_the_burst_is_back_and_no_more(count: Any, table: Table, clock: FakeClock) -> None:
    count(100)
    clock.advance(seconds=3600)
    count(100)
    assert table.writes == 2 * BURST


def test_a_busy_endpoint_does_not_delay_a_quiet_one(count: Any, table: Table) -> None:
    count(1000)
    count(1, KEPT, QUIET)
    assert table.counts(QUIET) == {KEPT: 1}


def test_a_failed_write_keeps_its_counts_for_the_next(count: Any, table: Table, clock: FakeClock) -> None:
    table.fails = True
    count(3)
    count(1, KEPT)
    assert table.writes == 4
    table.fails = False
    count()
    assert table.counts() == {COMPLETED: 4, KEPT: 1}


def test_a_failed_write_is_logged_without_the_endpoints_secret_id(count: Any, table: Table, log: io.StringIO) -> None:
    table.fails = True
    count()
    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["level"], line["error"]) == ("WARNING", "ConnectionError")
    assert BUSY not in log.getvalue()


def test_a_clock_that_is_set_back_loses_nothing(count: Any, table: Table, clock: FakeClock) -> None:
    count(BURST + 1)
    clock.advance(-60_000)
    count()
    assert table.writes == BURST
    clock.advance(PAUSE)
    count()
    assert table.counts() == {COMPLETED: BURST + 3}


DELIVERIES = st.lists(
    st.tuples(st.sampled_from([COMPLETED, KEPT, REFUSED]), st.sampled_from([BUSY, QUIET]), st.integers(0, 700), st.booleans())
)


@given(DELIVERIES)
def test_every_delivery_is_counted_exactly_once_when_the_next_write_succeeds(
    arriving: list[tuple[DeliveryKind, str, int, bool]],
) -> None:
    table, clock = Table(), FakeClock()
    tally = EndpointTally(table.count, clock)
    expected: dict[str, EndpointStatistics] = {}
    for kind, secret_id, pause, table.fails in arriving:
        clock.advance(pause)
        delivery = LastDelivery(at=clock())
        tally.count(secret_id, kind, delivery)
        expected[secret_id] = expected.get(secret_id, EndpointStatistics()) + EndpointStatistics({kind: 1}, {kind: delivery})
    assert table.writes <= 2 * BURST + 2 * sum(pause for _, _, pause, _ in arriving) // PAUSE + 2
    table.fails = False
    clock.advance(PAUSE)
    for secret_id in expected:
        tally.count(secret_id, COMPLETED, LastDelivery(at=clock()))
        expected[secret_id] += EndpointStatistics({COMPLETED: 1}, {COMPLETED: LastDelivery(at=clock())})
    assert table.written == expected
