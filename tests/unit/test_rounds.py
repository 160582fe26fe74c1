"""A table whose parts do not fit into a round: every page of it is read all the same."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from threading import Lock

import pytest

from in_process.fakes.clock import FakeClock
from tests.support.fakes.in_memory import InMemory
from waitpoints.overdue import Overdue
from waitpoints.ports import Page
from waitpoints.rounds import Rounds
from waitpoints.table_pass import Key, Progress
from waitpoints.token import Attachment
from waitpoints.unfinished import Finishing

HOUR = 3_600_000
PARTS, PAGES = 32, 300


@dataclass
class LargeTable:
    """A table of so many parts, each of so many pages. A page's key is its number."""

    parts: int = PARTS
    pages: int = PAGES
    read: list[tuple[int, int]] = field(default_factory=list)
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

    def read_part(self, part: int, parts: int, after: Key | None, until: int) -> Iterator[Page]:
        assert parts == PARTS, "the number of parts changed within a pass"
        for page in range(int(after[1]) + 1 if after else 0, self.pages):
            with self.lock:
                self.read.append((part, page))
            yield Page(10, [], [], [], [], None if page == self.pages - 1 else (str(part), str(page)))

    def complete_told(self, token_id: str, waiters: Collection[str]) -> None:
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
    finishing = Finishing(world.tokens, world.waking, world.store, table, clock)
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
    monkeypatch.setattr(table, "read_part", lambda *_: iter([Page(2, [], [], [], [old, young], None)]))
    released: list[Attachment] = []
    monkeypatch.setattr(rounds._finishing, "release", lambda found, _: released.extend(found))
    table.parts = 1
    make_round(rounds, table)
    assert released == [old]
