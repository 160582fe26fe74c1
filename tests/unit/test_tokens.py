"""The life of a token, on a clock that the tests move, with waiters of each kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest

from tests.support.in_process.fakes.waits import DENIED, THROTTLED, Fault
from tests.support.in_process.stores import RETENTION, TokenStore
from tests.support.in_process.world import World
from waitpoints.errors import CannotResume, CannotResumeNow, TokenNotFound, TooManyWaiters, TryAgain
from waitpoints.listing import ListQuery
from waitpoints.token import MAX_WAITERS, Status, Token, WaiterKind, iso
from waitpoints.tokens import Created, Settled
from waitpoints.waiter_result import Success

COMPLETED = Success('{"ok":true,"output":{"n": 1.50}}')
OUTPUT = '{"n": 1.50}'


@pytest.fixture(params=WaiterKind)
def world(request: pytest.FixtureRequest) -> World:
    """With waiters of each kind."""
    return World(kind=request.param)


@contextmanager
def moved_before_it_is_timed_out(world: World, times: int) -> Iterator[None]:
    """So often, move the deadline of a due token when somebody is about to time it out. It is due again but the last time."""
    moves = iter(range(1, times + 1))

    def time_out(token_id: str, now: int) -> tuple[bool, Token]:
        move = next(moves)
        token = world.store.get(token_id)
        assert token.timeout_at is not None
        assert world.store.move_deadline(token, now + 1000, now + 1000, token.timeout_at - 1)
        settled = TokenStore.time_out(world.store, token_id, now)
        world.advance(1000 if move < times else 0)
        return settled

    with mock.patch.object(world.store, "time_out", time_out):
        yield


class TestATimeout:
    def test_is_visible_before_it_is_written(self, world: World) -> None:
        token = world.create(timeout=2000)
        world.advance(5000)
        settled = world.tokens.retrieve(token).outcome
        assert settled is not None
        assert (settled.status, settled.at) == (Status.TIMED_OUT, world.clock() - 3000)
        assert world.store.get(token).outcome is None

    def test_resumes_every_waiter_once_when_the_timer_comes(self, world: World) -> None:
        token, waiters = world.create(timeout=2000), [world.new_waiter(), world.new_waiter(unwrap=True)]
        for waiter in waiters:
            world.wait(token, waiter)
        timeout_at = world.advance(2000)
        for _ in range(2):  # the timer may fire twice
            assert world.tokens.expire(token) is None
        message = f"Waitpoint timed out at {iso(timeout_at)}"
        whole, bare = (waiter.handle for waiter in waiters)
        assert world.waits.value(whole) == {
            "ok": False,
            "error": {"name": "WaitpointTimeoutError", "code": "TRIGGER_WAITPOINT_TIMEOUT", "message": message},
        }
        failure = world.waits.failure(bare)
        assert (failure.error, failure.cause) == ("WaitpointTimeoutError", message)
        assert set(world.waits.calls.values()) == {1}

    @pytest.mark.parametrize("times", [1, 2])
    def test_that_another_function_moves_in_that_moment_lets_a_completion_and_a_waiter_start_again(
        self, world: World, times: int
    ) -> None:
        """Its clock is behind, so the token is not due there."""
        completed, waited_for = world.create(timeout=2000), world.create(timeout=2000)
        world.advance(2000)
        with moved_before_it_is_timed_out(world, times):
            assert isinstance(world.complete(completed, OUTPUT), Settled)
        with moved_before_it_is_timed_out(world, times):
            world.wait(waited_for)
        assert len(world.store.get(waited_for).waiters) == 1

    def test_that_is_moved_each_time_asks_the_caller_to_try_again(self, world: World) -> None:
        token = world.create(timeout=2000)
        world.advance(2000)
        with moved_before_it_is_timed_out(world, 99), pytest.raises(TryAgain):
            world.complete(token, OUTPUT)
        with moved_before_it_is_timed_out(world, 99), pytest.raises(TryAgain):
            world.wait(token)


class TestWaiting:
    def test_is_possible_for_one_hundred_waiters_and_the_next_one_fails(self, world: World) -> None:
        token, waiters = world.awaited(MAX_WAITERS)
        with pytest.raises(TooManyWaiters, match="100"):
            world.wait(token)
        world.wait(token, waiters[0])  # registered already
        assert set(world.tokens.retrieve(token).waiters) == {waiter.key for waiter in waiters}
        world.complete(token, OUTPUT)
        assert [world.result(waiter) for waiter in waiters] == [COMPLETED] * MAX_WAITERS
        assert set(world.waits.calls.values()) == {1}

    def test_for_a_settled_token_is_possible_even_with_one_hundred_waiters(self, world: World) -> None:
        token, _ = world.awaited(MAX_WAITERS)
        world.complete(token, OUTPUT)
        late = world.new_waiter()
        world.wait(token, late)
        assert world.result(late) == COMPLETED

    @pytest.mark.parametrize(("fault", "refusal"), [(THROTTLED, CannotResumeNow), (DENIED, CannotResume)])
    def test_for_a_settled_token_fails_if_the_outcome_cannot_be_delivered(
        self, world: World, fault: Fault, refusal: type[Exception]
    ) -> None:
        token = world.create()
        world.complete(token, OUTPUT)
        world.waits.fail_next(fault)
        with pytest.raises(refusal):
            world.wait(token)


class TestAnIdempotencyKey:
    def test_expires_at_its_exact_millisecond_and_the_old_token_stays_valid(self, world: World) -> None:
        first = world.create(key="a", ttl=2000)
        world.advance(1999)
        assert world.created(key="a", ttl=2000) == Created(first, is_cached=True)
        world.advance(1)
        second = world.create(key="a")
        assert second != first
        world.complete(first, OUTPUT)
        assert world.tokens.retrieve(second).outcome is None

    def test_is_released_once_retention_has_removed_its_token(self, world: World) -> None:
        first = world.create(key="a")
        world.advance(seconds=RETENTION)
        assert world.created(key="a") == Created(first, is_cached=True)
        world.store.remove(first)
        second = world.created(key="a")
        assert (second.token_id != first, second.is_cached) == (True, False)
        assert world.created(key="a") == Created(second.token_id, is_cached=True)


class TestAfterRetention:
    def test_a_settled_token_is_gone_whether_or_not_ttl_has_deleted_it(self, world: World) -> None:
        token = world.create()
        world.complete(token, OUTPUT)
        world.advance(RETENTION * 1000 - 1)
        assert world.tokens.retrieve(token).outcome
        world.advance(1)

        with pytest.raises(TokenNotFound):
            world.tokens.retrieve(token)
        with pytest.raises(TokenNotFound):
            world.tokens.find(token)
        with pytest.raises(TokenNotFound):
            world.wait(token)
        assert world.tokens.list_tokens(ListQuery()).items == []

    def test_a_waiting_token_stays(self, world: World) -> None:
        token = world.create()
        world.advance(10 * RETENTION * 1000)

        assert world.tokens.retrieve(token).outcome is None
