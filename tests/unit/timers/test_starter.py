"""The rounds that start timers: what moves the cursor, and what holds it."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.timer_queue import Sent
from tests.support.in_process.stores import Index
from tests.support.in_process.world import World
from tests.support.patience import PATIENCE
from waitpoints.aws.due_index import DueIndex
from waitpoints.aws.services.queues import MAX_ENTRIES, TimerQueue
from waitpoints.errors import TimersNotStarted
from waitpoints.ports import Cursor, Timer
from waitpoints.timers.starter import AHEAD, SLICE, TOGETHER, TimerStarter
from waitpoints.token import NEAR
from waitpoints.wiring import CONNECTIONS

MINUTE, HOUR = 60_000, 3_600_000


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """With slices of four entries, and batches of two."""
    monkeypatch.setattr("waitpoints.timers.starter.SLICE", 4)
    monkeypatch.setattr("waitpoints.timers.starter.TOGETHER", 2)
    Index.of_one_shard(monkeypatch)
    return World(parallel=2)


def always() -> bool:
    return True


def times(number: int) -> Callable[[], bool]:
    """True so often."""
    left = iter([True] * number)
    return lambda: next(left, False)


def sent(world: World) -> list[str]:
    return [message.token_id for message in world.queue.sent]


class TestARun:
    def test_sends_the_message_of_each_token_that_is_due_within_three_minutes(self, world: World) -> None:
        now, due = world.clock(), [world.create(ahead) for ahead in (1, MINUTE, AHEAD)]
        later = world.create(AHEAD + 1)
        world.create()
        until = world.clock() + AHEAD
        started = world.timer_starter.start(always)
        assert (started.messages, started.up_to, started.failure) == (3, until + 1, None)
        messages = [Sent(token_id, now + ahead, now) for token_id, ahead in zip(due, (1, MINUTE, AHEAD), strict=True)]
        assert sorted(world.queue.sent, key=lambda it: it.due_at) == messages
        assert world.index.cursor == Cursor(until + 1)
        world.advance(MINUTE)
        world.timer_starter.start(always)
        assert sent(world)[3:] == [later]

    def test_passes_over_what_has_ended_or_is_gone(self, world: World) -> None:
        ended, gone, waiting = (world.create(MINUTE) for _ in range(3))
        world.complete(ended, "1")
        find = world.index.find_waiting
        world.index.find_waiting = lambda token_ids: find([id for id in token_ids if id != gone])  # type: ignore[method-assign]
        assert world.timer_starter.start(always).failure is None
        assert sent(world) == [waiting]
        assert world.index.cursor.due_at > world.clock() + AHEAD

    def test_passes_over_no_token_whose_instant_is_not_that_of_the_index(self, world: World) -> None:
        """The index may be older than the token, or the read of the token older than the index."""
        token_id = world.create(MINUTE)
        world.store.change(token_id, timeoutAt=world.clock() + 9 * HOUR)
        world.timer_starter.start(always)
        assert sent(world) == [token_id]

    def test_after_an_hour_without_one_finds_everything_of_that_hour(self, world: World) -> None:
        world.timer_starter.start(always)
        tokens = [world.create(NEAR + 1 + n * 5 * MINUTE) for n in range(9)]
        world.advance(HOUR)
        assert world.timer_starter.start(always).messages == 9
        assert sorted(sent(world)) == sorted(tokens)

    def test_that_finds_nothing_costs_one_read_and_one_write_for_each_shard(self, world: World) -> None:
        assert world.timer_starter.start(always).messages == 0
        assert world.queue.requests == 0
        assert world.timer_starter.start(always).failure is None  # the clock has not moved: nothing is left to read
        assert world.index.cursor == Cursor(world.clock() + AHEAD + 1)

    def test_reads_every_slice_of_its_last_instant(self, world: World) -> None:
        tokens = [world.create(AHEAD) for _ in range(5)]  # of which a slice has four
        world.timer_starter.start(always)
        assert sorted(sent(world)) == sorted(tokens)

    def test_never_moves_the_cursor_back(self, world: World) -> None:
        world.timer_starter.start(always)
        before = world.index.cursor
        world.advance(-HOUR)
        started = world.timer_starter.start(always)
        assert (world.index.cursor, started.messages, started.up_to) == (before, 0, before.due_at)

    def test_without_time_moves_the_cursor_over_whole_slices(self, world: World) -> None:
        tokens = [world.create(1 + n) for n in range(11)]
        started = world.timer_starter.start(times(2))
        assert (started.messages, started.failure) == (8, None)
        assert set(sent(world)) == set(tokens[:8])
        assert world.index.cursor == Cursor(started.up_to, tokens[7])
        world.timer_starter.start(always)
        assert sorted(sent(world)) == sorted(tokens)


class TestTheCursorStays:
    def test_before_a_slice_with_a_message_that_was_not_sent(self, world: World) -> None:
        tokens = [world.create(1 + n) for n in range(6)]
        world.queue.refused = {tokens[5]}
        started = world.timer_starter.start(always)
        assert isinstance(started.failure, TimersNotStarted)
        assert (world.index.cursor, started.up_to) == (Cursor(world.clock() + 4, tokens[3]), world.clock() + 4)
        world.queue.refused = set()
        assert world.timer_starter.start(always).failure is None
        assert set(sent(world)) == set(tokens)

    @pytest.mark.parametrize("call", ["read", "find_waiting", "move_cursor"])
    def test_where_a_call_fails(self, world: World, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        tokens = [world.create(1 + n) for n in range(6)]
        with monkeypatch.context() as failing:
            failing.setattr(world.index, call, fails_from(2, getattr(world.index, call)))
            started = world.timer_starter.start(always)
        assert isinstance(started.failure, ConnectionError)
        assert world.index.cursor in (Cursor(), Cursor(world.clock() + 4, tokens[3]))
        assert world.timer_starter.start(always).failure is None
        assert set(sent(world)) == set(tokens)


def fails_from(number: int, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, which fails from so many calls on."""
    calls = iter(range(1, 10_000))

    def failing(*arguments: Any) -> Any:
        if next(calls) >= number:
            raise ConnectionError("no answer")
        return call(*arguments)

    return failing


def test_a_run_that_another_one_has_overtaken_reads_no_further_slice(world: World) -> None:
    """The other one goes on from its own place, and would send each message a second time."""
    for _ in range(10):  # of which a slice has four
        world.create(MINUTE)
    read, elsewhere = world.index.read, Cursor(1)

    def read_and_be_overtaken(*arguments: Any) -> Any:
        world.index.cursor = elsewhere
        return read(*arguments)

    world.index.read = read_and_be_overtaken  # type: ignore[method-assign, assignment]
    assert (world.timer_starter.start(always).messages, world.index.cursor) == (4, elsewhere)


class FourShards(DueIndex):
    """An index of four shards with so many entries each, all due at one instant. `broken` shards cannot be read."""

    shards = 4

    def __init__(self, entries: int, due_at: int, broken: Sequence[int] = ()) -> None:
        self._due_at = due_at
        self._broken = broken
        self.ids = [[f"waitpoint_{shard}{number:06}" for number in range(entries)] for shard in range(4)]
        self.at = [Cursor()] * 4
        self.reads = self.gets = self.writes = 0
        self._lock = threading.Lock()

    def read(self, shard: int, start: Cursor, until: int, limit: int) -> tuple[list[Timer], Cursor]:
        self._count(reads=1)
        if shard in self._broken:
            raise ConnectionError("no answer")
        ahead = int(start.after[-6:]) + 1 if start.after else 0
        ids = self.ids[shard][ahead : ahead + limit] if start.due_at <= self._due_at else []
        last = ahead + limit >= len(self.ids[shard])
        return [Timer(id, self._due_at) for id in ids], Cursor(until + 1) if last else Cursor(self._due_at, ids[-1])

    def find_waiting(self, token_ids: Sequence[str]) -> set[str]:
        assert len(token_ids) <= 100  # as BatchGetItem takes
        self._count(gets=1)
        return set(token_ids)

    def cursors(self) -> list[Cursor]:
        return list(self.at)

    def move_cursor(self, shard: int, start: Cursor, end: Cursor) -> bool:
        self._count(writes=1)
        assert self.at[shard] == start
        self.at[shard] = end
        return True

    def _count(self, **counted: int) -> None:
        with self._lock:
            for name, more in counted.items():
                setattr(self, name, getattr(self, name) + more)


def test_a_shard_that_cannot_be_read_holds_no_other(world: World) -> None:
    index = FourShards(3, world.clock(), broken=[1])
    started = TimerStarter(index, world.queue, world.clock, 2).start(always)
    assert isinstance(started.failure, ConnectionError)
    assert (started.messages, started.up_to) == (9, 0)
    assert [cursor.due_at > 0 for cursor in index.at] == [True, False, True, True]


class CountingSqs:
    """SQS, whose first requests return only once `at_once` of them are there: they are sent in parallel, or it fails."""

    def __init__(self, at_once: int) -> None:
        self._together = threading.Barrier(at_once)
        self._first = threading.Semaphore(at_once)
        self.requests = 0
        self.messages: list[str] = []
        self._lock = threading.Lock()

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if self._first.acquire(blocking=False):
            self._together.wait(timeout=PATIENCE)
        assert 1 <= len(Entries) <= 10  # as SQS takes
        with self._lock:
            self.requests += 1
            self.messages += [entry["MessageBody"] for entry in Entries]
        return {"Successful": Entries}


MANY = 100_000  # as contract T8 says


def test_a_hundred_thousand_tokens_that_are_due_at_one_instant_have_their_messages_within_the_minute() -> None:
    """By the time that each request takes, which is counted and not measured, and CONNECTIONS requests at once."""
    clock = FakeClock()
    sqs: Any = CountingSqs(CONNECTIONS)
    index = FourShards(MANY // 4, clock() + MINUTE)
    started = TimerStarter(index, TimerQueue(sqs, "timers"), clock, CONNECTIONS).start(always)
    assert (started.messages, started.failure) == (MANY, None)
    assert len(set(sqs.messages)) == MANY
    assert (sqs.requests, index.gets) == (MANY // MAX_ENTRIES, MANY // TOGETHER)
    assert (index.reads, index.writes) == (MANY // SLICE, MANY // SLICE)
    slow = 0.02  # seconds for each request: twice what SQS and DynamoDB take in their region
    in_batches = (sqs.requests + index.gets) * slow / CONNECTIONS  # in parallel
    between = (index.reads + index.writes) / index.shards * slow  # one after the other in each shard
    processor = (sqs.requests + index.gets) * 0.002  # seconds of boto3 for each, one at a time
    assert in_batches + between + processor < 45 - 5
