"""The due index, read once more behind the timers."""

from itertools import count

import pytest

from tests.support.in_process.stores import Index
from tests.support.in_process.world import World
from waitpoints.doctor import overdue
from waitpoints.doctor.overdue import Overdue, Slice
from waitpoints.ports import Cursor
from waitpoints.token import ALL_CHECKED, Completed, Output


@pytest.fixture
def reading(world: World, monkeypatch: pytest.MonkeyPatch) -> Overdue:
    Index.of_one_shard(monkeypatch)
    return Overdue(world.index)


def always() -> bool:
    return True


def waiting(slices: list[Slice]) -> set[str]:
    return {token_id for it in slices for token_id in it.waiting}


def test_finds_what_still_waits_and_is_due_until_then(world: World, reading: Overdue) -> None:
    due, ended, later = world.create(1000), world.create(1000), world.create(1001)
    world.create()
    world.store.complete(ended, Completed(world.clock(), Output("1")), ALL_CHECKED)
    until = world.clock() + 1000
    slices = reading.read(until, always)
    assert waiting(slices) == {due}
    reading.pass_over(slices, [])
    assert waiting(reading.read(until, always)) == set()
    assert waiting(reading.read(until + 1, always)) == {later}


def test_never_passes_a_token_that_remains(world: World, reading: Overdue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "SLICE", 2)
    tokens = [world.create(number) for number in range(1, 10)]
    slices = reading.read(world.clock() + 10, always)
    assert [len(it.waiting) for it in slices] == [2, 2, 2, 2, 1]
    reading.pass_over(slices, [tokens[4], tokens[8]])
    assert waiting(reading.read(world.clock() + 10, always)) == set(tokens[4:])
    reading.pass_over(slices, [tokens[0]])
    assert waiting(reading.read(world.clock() + 10, always)) == set(tokens[4:]), "another run has moved it meanwhile"


def test_ends_when_there_is_no_more_time_or_too_much(world: World, reading: Overdue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "SLICE", 2)
    tokens = [world.create(number) for number in range(1, 10)]
    asked = count(1)
    first = reading.read(world.clock() + 10, lambda: next(asked) <= 2)
    assert waiting(first) == set(tokens[:4])
    monkeypatch.setattr(overdue, "MOST", 3)
    assert waiting(reading.read(world.clock() + 10, always)) == set(tokens[:4])
    reading.pass_over(first, [])
    assert world.index.cursor == Cursor(first[-1].end.due_at, first[-1].end.after)
    assert waiting(reading.read(world.clock() + 10, always)) == set(tokens[4:8])
