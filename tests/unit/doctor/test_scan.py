"""A table whose parts do not fit into a round: every page of it is read all the same."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from threading import Lock

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.fakes.clock import FakeClock
from waitpoints.doctor.overdue import Overdue, Slice
from waitpoints.doctor.repair import Finished, Finishing, Undone
from waitpoints.doctor.scan import GRACE, Rounds
from waitpoints.ports import Cursor, Page
from waitpoints.scan_state import DAY, Key, Place, Progress, Waiting
from waitpoints.token import Attachment

HOUR = 3_600_000
PARTS, PAGES = 32, 300


@dataclass
class LargeTable:
    """A table of so many parts, each of so many pages. A page's key is its number."""

    parts: int = PARTS
    pages: int = PAGES
    read: list[tuple[int, int]] = field(default_factory=list)
    waiting: dict[int, list[Waiting]] = field(default_factory=dict)
    """The tokens without a timeout in the first page of a part."""
    known: list[tuple[Waiting, ...]] = field(default_factory=list)
    progress: Progress | None = None
    time: int = 0
    lock: Lock = field(default_factory=Lock)

    def has_time(self) -> bool:
        with self.lock:
            self.time -= 1
            return self.time >= 0

    def count_parts(self) -> int:
        return self.parts

    def read_marks(self) -> list[str]:
        return []

    def read_part(
        self, part: int, parts: int, after: Key | None, until: int, known: tuple[Waiting, ...] = ()
    ) -> Iterator[Page]:
        assert parts == PARTS, "the number of parts changed within a pass"
        self.known.append(known)
        for page in range(int(after[1]) + 1 if after else 0, self.pages):
            with self.lock:
                self.read.append((part, page))
            waiting = self.waiting.get(part, []) if page == 0 else []
            yield Page(10, [], [], [], [], list(waiting), None if page == self.pages - 1 else (str(part), str(page)))

    def still_waiting(self, tokens: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
        there = {one for some in self.waiting.values() for one in some}
        return tuple(one for one in tokens if one in there)

    def complete_replied(self, token_id: str, waiters: Collection[str]) -> None:
        raise NotImplementedError

    def read_progress(self) -> Progress | None:
        return self.progress

    def save_progress(self, progress: Progress) -> None:
        self.progress = replace(progress)

    def remember_undone(self, token_ids: Collection[str]) -> None:
        raise NotImplementedError

    def forget_undone(self, token_ids: Collection[str]) -> None:
        raise NotImplementedError


@pytest.fixture
def table() -> LargeTable:
    return LargeTable()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def rounds(table: LargeTable, clock: FakeClock) -> Rounds:
    world = InMemory()
    finishing = Finishing(world.tokens, world.timers, world.store, table, clock)
    return Rounds(table, Overdue(world.index), finishing, clock, world.store.retention)


def make_round(rounds: Rounds, table: LargeTable, pages: int = 240) -> int | None:
    """Make a round that has time for so many pages. Returns how old the last full pass is."""
    table.time = pages
    return rounds.make_round(table.has_time, lambda: True).oldest_pass


def read_to_the_end(rounds: Rounds, table: LargeTable, clock: FakeClock) -> list[int | None]:
    """Make rounds until the pass has ended. Returns how old the last full pass was after each."""
    oldest: list[int | None] = []
    while not table.progress or not table.progress.place.is_at_end:
        if oldest:
            clock.advance(HOUR)
        oldest.append(make_round(rounds, table))
        assert len(oldest) < 2 * PARTS * PAGES / 240, "the pass does not end"
    return oldest


def test_every_page_is_read_once(rounds: Rounds, table: LargeTable, clock: FakeClock) -> None:
    oldest = read_to_the_end(rounds, table, clock)
    assert len(table.read) == len(set(table.read)) == PARTS * PAGES
    assert oldest == [number * HOUR for number in range(len(oldest))]


def test_a_table_that_shrinks_or_grows_meanwhile_keeps_its_parts_until_the_pass_ends(
    rounds: Rounds, table: LargeTable, clock: FakeClock
) -> None:
    make_round(rounds, table)
    clock.advance(HOUR)
    table.parts = 5
    read_to_the_end(rounds, table, clock)
    assert set(table.read) == {(part, page) for part in range(PARTS) for page in range(PAGES)}


def test_the_last_full_pass_gets_older_as_long_as_rounds_have_too_little_time(
    rounds: Rounds, table: LargeTable, clock: FakeClock
) -> None:
    ages = []
    for _ in range(60):
        ages.append(make_round(rounds, table, pages=100))
        clock.advance(HOUR)
    assert ages == [hour * HOUR for hour in range(60)]


def test_what_may_be_orphaned_is_looked_at_once_retention_is_over(
    rounds: Rounds, table: LargeTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention = rounds._retention
    old, young = (Attachment(name, "key", name, clock() - age) for name, age in (("o", retention), ("y", retention - 1)))
    monkeypatch.setattr(table, "read_part", lambda *_: iter([Page(2, [], [], [], [old, young], [], None)]))
    released: list[Attachment] = []
    monkeypatch.setattr(rounds._finishing, "release", lambda found, _: released.extend(found))
    table.parts = 1
    make_round(rounds, table)
    assert released == [old]


def test_what_was_found_is_finished_before_what_is_marked(
    rounds: Rounds, table: LargeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many marked tokens may fail again, and take all the time. A token that is both counts as marked."""
    marks = [f"marked {number}" for number in range(30)]
    monkeypatch.setattr(table, "read_marks", lambda: marks)
    page = Page(2, [marks[0], "unresumed"], ["overdue"], [], [], [], None)
    monkeypatch.setattr(table, "read_part", lambda *_: iter([page]))
    orders: list[list[str]] = []

    def finish(found: Collection[str], *_: object) -> Finished:
        orders.append([*found])
        return Finished()

    monkeypatch.setattr(rounds._finishing, "finish", finish)
    for _ in range(2):
        table.progress = None
        make_round(rounds, table)
    assert [order[:2] for order in orders] == [["unresumed", "overdue"]] * 2
    assert [sorted(order[2:]) for order in orders] == [sorted(marks)] * 2
    assert orders[0] != orders[1], "the same ones would come last in each round"


def test_what_is_overdue_is_reported_as_that_though_an_earlier_round_left_it(
    rounds: Rounds, table: LargeTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.progress = Progress(Place(1, clock(), next=1), clock(), clock(), frozenset({"both", "left"}))
    read_until: list[int] = []

    def read(until: int, _: object) -> list[Slice]:
        read_until.append(until)
        return [Slice(0, Cursor(), Cursor(1), frozenset({"both"}))]

    monkeypatch.setattr(rounds._overdue, "read", read)
    monkeypatch.setattr(rounds._overdue, "pass_over", lambda *_: None)
    monkeypatch.setattr(table, "forget_undone", lambda _: None)
    kinds: dict[str, Undone] = {}
    monkeypatch.setattr(rounds._finishing, "finish", lambda found, *_: kinds.update(found) or Finished())
    make_round(rounds, table)
    assert kinds == {"both": Undone.OVERDUE, "left": Undone.UNDELIVERED}
    assert read_until == [clock() - GRACE]  # the timers have so long


def test_what_is_left_is_remembered_unless_a_mark_does(
    rounds: Rounds, table: LargeTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round looks at what is marked anyway, and only so many are remembered."""
    kinds = dict.fromkeys(["left", "marked before", "marked now"], Undone.UNDELIVERED)
    table.progress = Progress(Place(1, clock()), clock(), clock(), frozenset({"finished"}))
    clock.advance(DAY)
    monkeypatch.setattr(table, "read_marks", lambda: ["marked before"])
    monkeypatch.setattr(table, "read_part", lambda *_: iter([Page(3, [*kinds], [], [], [], [], None)]))
    monkeypatch.setattr(rounds._finishing, "finish", lambda *_: Finished(left=dict(kinds), marked={"marked now"}))
    changed: dict[str, set[str]] = {}
    monkeypatch.setattr(table, "remember_undone", lambda ids: changed.update(remembered={*ids}))
    monkeypatch.setattr(table, "forget_undone", lambda ids: changed.update(forgotten={*ids}))
    make_round(rounds, table)
    assert changed == {"remembered": {"left"}, "forgotten": {"finished"}}


class TestTheOldestTokenWithoutATimeout:
    @pytest.fixture
    def table(self) -> LargeTable:
        """A round of an hour reads one or two parts of it, a pass all of them."""
        return LargeTable(pages=1, waiting={0: [(50, "b")], 20: [(10, "a"), (70, "c")], 31: [(60, "d")]})

    def pass_by(self, rounds: Rounds, table: LargeTable, clock: FakeClock, hours: int) -> list[list[str]]:
        """Make a round an hour. Returns what each knows."""
        known = []
        for _ in range(hours):
            table.time = 10_000
            known.append([token_id for _, token_id in rounds.make_round(table.has_time, lambda: True).oldest])
            clock.advance(HOUR)
        return known

    def test_is_known_from_the_first_round_on_that_reads_its_part(
        self, rounds: Rounds, table: LargeTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("waitpoints.doctor.scan.AT_ONCE", 1)  # else a part further on may be read before one that was begun
        assert make_round(rounds, table, pages=15) is not None
        clock.advance(HOUR)
        assert table.progress is not None
        assert table.progress.oldest == ((50, "b"),)
        assert self.pass_by(rounds, table, clock, 24)[-1] == ["a", "b", "d", "c"]

    def test_is_forgotten_by_the_next_round_once_it_has_ended_and_the_next_one_is_known(
        self, rounds: Rounds, table: LargeTable, clock: FakeClock
    ) -> None:
        assert self.pass_by(rounds, table, clock, 30)[-1] == ["a", "b", "d", "c"]
        table.waiting[20] = [(70, "c")]
        assert self.pass_by(rounds, table, clock, 1) == [["b", "d", "c"]]
        table.waiting.clear()
        assert self.pass_by(rounds, table, clock, 1) == [[]]

    def test_that_is_younger_than_a_pass_is_found_within_a_day(
        self, rounds: Rounds, table: LargeTable, clock: FakeClock
    ) -> None:
        table.waiting.clear()
        assert self.pass_by(rounds, table, clock, 30)[-1] == []
        for part in range(PARTS):
            table.waiting[part] = [(clock(), f"late {part}")]
            found = self.pass_by(rounds, table, clock, DAY // HOUR)
            assert found[-1] == [f"late {part}"]
            table.waiting.clear()

    def test_is_looked_for_among_those_older_than_what_is_known(
        self, rounds: Rounds, table: LargeTable, clock: FakeClock
    ) -> None:
        self.pass_by(rounds, table, clock, 30)
        assert table.known[-1] == ((10, "a"), (50, "b"), (60, "d"), (70, "c"))
        ended = table.waiting.pop(20)
        self.pass_by(rounds, table, clock, 10)
        assert not set(ended) & set(table.known[-1])
