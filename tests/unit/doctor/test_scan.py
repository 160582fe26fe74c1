"""A table whose segments do not fit into a run: every page of it is read all the same."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from threading import Lock

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.world import World
from waitpoints.aws.doctor_store import DoctorStore, ScanPage
from waitpoints.doctor.overdue import Overdue, Slice
from waitpoints.doctor.repair import Defect, DeliveryRepairs, Repair, Repairs
from waitpoints.doctor.scan import GRACE, DeleteEnded, Doctor
from waitpoints.ports import Cursor
from waitpoints.scan_state import DAY, DoctorState, Key, ScanCursor, Waiting
from waitpoints.token import Attachment

HOUR = 3_600_000
PARTS, PAGES = 32, 300


@dataclass
class LargeTable(DoctorStore):
    """A table of so many segments, each of so many pages. A page's key is its number."""

    segments: int = PARTS
    pages: int = PAGES
    read: list[tuple[int, int]] = field(default_factory=list)
    waiting: dict[int, list[Waiting]] = field(default_factory=dict)
    """The tokens without a timeout in the first page of a segment."""
    known: list[tuple[Waiting, ...]] = field(default_factory=list)
    state: DoctorState | None = None
    time: int = 0
    lock: Lock = field(default_factory=Lock)

    def has_time(self) -> bool:
        with self.lock:
            self.time -= 1
            return self.time >= 0

    def count_segments(self) -> int:
        return self.segments

    def read_marks(self) -> list[str]:
        return []

    def read_segment(
        self, segment: int, segments: int, after: Key | None, until: int, known: tuple[Waiting, ...] = ()
    ) -> Iterator[ScanPage]:
        assert segments == PARTS, "the number of segments changed within a scan"
        self.known.append(known)
        for page in range(int(after[1]) + 1 if after else 0, self.pages):
            with self.lock:
                self.read.append((segment, page))
            waiting = self.waiting.get(segment, []) if page == 0 else []
            yield ScanPage(10, [], [], [], list(waiting), None if page == self.pages - 1 else (str(segment), str(page)))

    def still_waiting(self, tokens: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
        there = {one for some in self.waiting.values() for one in some}
        return tuple(one for one in tokens if one in there)

    def read_state(self, first: Callable[[], DoctorState]) -> DoctorState:
        return self.state or first()

    def save_state(self, state: DoctorState) -> None:
        self.state = replace(state)

    def remember(self, token_ids: Collection[str]) -> None:
        raise NotImplementedError

    def forget(self, token_ids: Collection[str]) -> None:
        raise NotImplementedError


@pytest.fixture
def table() -> LargeTable:
    return LargeTable()


@pytest.fixture
def doctor(table: LargeTable, clock: FakeClock) -> Doctor:
    world = World()
    repair = Repair(world.tokens, world.timers, world.store, clock)
    return Doctor(table, Overdue(world.index), repair, clock, world.store.retention, nothing_recorded)


def run(doctor: Doctor, table: LargeTable, pages: int = 240) -> int | None:
    """Run the doctor, which has time for so many pages. Returns how old the last full scan is."""
    table.time = pages
    return doctor.run(table.has_time, lambda: True, nothing_pending).oldest_scan


def nothing_pending(until: int) -> DeliveryRepairs:
    raise AssertionError("no endpoint records deliveries")


def nothing_recorded() -> DeleteEnded:
    raise AssertionError("no endpoint was listed")


def read_to_the_end(doctor: Doctor, table: LargeTable, clock: FakeClock) -> list[int | None]:
    """Run the doctor until the scan has ended. Returns how old the last full scan was after each."""
    oldest: list[int | None] = []
    while not table.state or not table.state.cursor.is_at_end:
        if oldest:
            clock.advance(HOUR)
        oldest.append(run(doctor, table))
        assert len(oldest) < 2 * PARTS * PAGES / 240, "the scan does not end"
    return oldest


def test_every_page_is_read_once(doctor: Doctor, table: LargeTable, clock: FakeClock) -> None:
    oldest = read_to_the_end(doctor, table, clock)
    assert len(table.read) == len(set(table.read)) == PARTS * PAGES
    assert oldest == [number * HOUR for number in range(len(oldest))]


def test_a_table_that_shrinks_or_grows_meanwhile_keeps_its_parts_until_the_pass_ends(
    doctor: Doctor, table: LargeTable, clock: FakeClock
) -> None:
    run(doctor, table)
    clock.advance(HOUR)
    table.segments = 5
    read_to_the_end(doctor, table, clock)
    assert set(table.read) == {(segment, page) for segment in range(PARTS) for page in range(PAGES)}


def test_what_may_be_orphaned_is_released_once_retention_is_over(
    doctor: Doctor, table: LargeTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention = doctor._retention
    old, young = (Attachment(name, "key", name, clock() - age) for name, age in (("o", retention), ("y", retention - 1)))
    monkeypatch.setattr(table, "read_segment", lambda *_: iter([ScanPage(2, [], [], [old, young], [], None)]))
    released: list[Attachment] = []
    monkeypatch.setattr(doctor._repair, "release", lambda found, _: released.extend(found))
    table.segments = 1
    run(doctor, table)
    assert released == [old]


def test_what_was_found_is_repaired_before_what_is_marked(
    doctor: Doctor, table: LargeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many marked tokens may fail again, and take all the time. A token that is both counts as marked."""
    marks = [f"marked {number}" for number in range(30)]
    monkeypatch.setattr(table, "read_marks", lambda: marks)
    page = ScanPage(2, [marks[0], "unresumed"], ["overdue"], [], [], None)
    monkeypatch.setattr(table, "read_segment", lambda *_: iter([page]))
    orders: list[list[str]] = []

    def repair(found: Collection[str], *_: object) -> Repairs:
        orders.append([*found])
        return Repairs()

    monkeypatch.setattr(doctor._repair, "repair", repair)
    for _ in range(2):
        table.state = None
        run(doctor, table)
    assert [order[:2] for order in orders] == [["unresumed", "overdue"]] * 2
    assert [sorted(order[2:]) for order in orders] == [sorted(marks)] * 2
    assert orders[0] != orders[1], "the same ones would come last in each run"


def test_what_is_overdue_is_reported_as_that_though_an_earlier_run_left_it(
    doctor: Doctor, table: LargeTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.state = DoctorState(ScanCursor(1, clock(), next=1), clock(), clock(), frozenset({"both", "left"}))
    read_until: list[int] = []

    def read(until: int, _: object) -> list[Slice]:
        read_until.append(until)
        return [Slice(0, Cursor(), Cursor(1), frozenset({"both"}))]

    monkeypatch.setattr(doctor._overdue, "read", read)
    monkeypatch.setattr(doctor._overdue, "pass_over", lambda *_: None)
    monkeypatch.setattr(table, "forget", lambda _: None)
    kinds: dict[str, Defect] = {}
    monkeypatch.setattr(doctor._repair, "repair", lambda found, *_: kinds.update(found) or Repairs())
    run(doctor, table)
    assert kinds == {"both": Defect.OVERDUE, "left": Defect.UNDELIVERED}
    assert read_until == [clock() - GRACE]  # the timers have so long


def test_what_remains_is_remembered_unless_a_mark_does(
    doctor: Doctor, table: LargeTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run repairs what is marked anyway, and only so many are remembered."""
    kinds = dict.fromkeys(["left", "marked before", "marked now"], Defect.UNDELIVERED)
    table.state = DoctorState(ScanCursor(1, clock()), clock(), clock(), frozenset({"repaired"}))
    clock.advance(DAY)
    monkeypatch.setattr(table, "read_marks", lambda: ["marked before"])
    monkeypatch.setattr(table, "read_segment", lambda *_: iter([ScanPage(3, [*kinds], [], [], [], None)]))
    monkeypatch.setattr(doctor._repair, "repair", lambda *_: Repairs(remaining=dict(kinds), marked={"marked now"}))
    changed: dict[str, set[str]] = {}
    monkeypatch.setattr(table, "remember", lambda ids: changed.update(remembered={*ids}))
    monkeypatch.setattr(table, "forget", lambda ids: changed.update(forgotten={*ids}))
    run(doctor, table)
    assert changed == {"remembered": {"left"}, "forgotten": {"repaired"}}


def test_the_oldest_token_without_a_timeout_is_looked_for_among_those_older_than_what_is_known(
    doctor: Doctor, table: LargeTable, clock: FakeClock
) -> None:
    table.pages, table.waiting = 1, {0: [(50, "b")], 20: [(10, "a"), (70, "c")], 31: [(60, "d")]}
    for _ in range(30):
        run(doctor, table, pages=10_000)
        clock.advance(HOUR)
    assert table.known[-1] == ((10, "a"), (50, "b"), (60, "d"), (70, "c"))
    ended = table.waiting.pop(20)
    for _ in range(10):
        run(doctor, table, pages=10_000)
        clock.advance(HOUR)
    assert not set(ended) & set(table.known[-1])


def test_a_token_without_a_timeout_that_is_younger_than_a_scan_is_found_within_a_day(
    doctor: Doctor, table: LargeTable, clock: FakeClock
) -> None:
    table.pages = 1
    for segment in range(PARTS):
        table.waiting = {segment: [(clock(), f"late {segment}")]}
        for _ in range(DAY // HOUR):
            run(doctor, table, pages=10_000)
            clock.advance(HOUR)
        assert table.state is not None
        assert [token_id for _, token_id in table.state.oldest] == [f"late {segment}"]


class TestPendingDeliveries:
    """They are looked for if some endpoint records deliveries."""

    @pytest.fixture(autouse=True)
    def recording(self, table: LargeTable, clock: FakeClock) -> None:
        table.state = DoctorState(ScanCursor(1, clock(), next=1), clock(), clock(), records_deliveries=True)

    def test_are_repaired_after_a_minute(self, doctor: Doctor, clock: FakeClock) -> None:
        found = {clock() - GRACE: DeliveryRepairs(2, ["delivery_1"])}
        report = doctor.run(lambda: True, lambda: True, found.pop)
        assert (report.deliveries, report.error) == (DeliveryRepairs(2, ["delivery_1"]), None)

    def test_that_cannot_be_read_do_not_stop_the_scan(self, doctor: Doctor, table: LargeTable, clock: FakeClock) -> None:
        clock.advance(DAY)
        report = doctor.run(lambda: True, lambda: True, lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
        assert isinstance(report.error, ZeroDivisionError)
        assert (report.items, len(table.read)) == (10 * PARTS * PAGES, PARTS * PAGES)

    def test_are_repaired_once_by_a_scan_of_the_whole_table(self, doctor: Doctor, clock: FakeClock) -> None:
        repairs: list[int] = []

        def repair(until: int) -> DeliveryRepairs:
            repairs.append(until)
            return DeliveryRepairs()

        doctor.scan_all(None, lambda: True, lambda: True, repair)
        assert repairs == [clock() - GRACE]
        doctor.scan_all(ScanCursor(PARTS, clock(), next=PARTS), lambda: True, lambda: True, repair)
        assert len(repairs) == 1, "an earlier invocation has repaired them"
