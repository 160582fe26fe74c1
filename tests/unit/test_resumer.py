"""The waiters of a settled token are resumed, each exactly once."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

from tests.support.in_process.fakes.waits import (
    DENIED,
    LOST_RESPONSE,
    OUTPUT_REFUSED,
    THROTTLED,
    UNAVAILABLE,
    UNREACHABLE,
    Fault,
)
from tests.support.in_process.world import World
from waitpoints.aws.services.outputs import IN_ITEM_LIMIT
from waitpoints.errors import CannotResume, CannotResumeNow
from waitpoints.ids import new_id
from waitpoints.token import (
    ReplyKind,
    Waiter,
    WaiterKind,
)
from waitpoints.waiter_result import OUTPUT_REFUSED as REFUSED
from waitpoints.waiter_result import RESULT_LIMITS, Failure, Success

COMPLETED = Success('{"ok":true,"output":{"n": 1.50}}')
OUTPUT = '{"n": 1.50}'
RESULT_LIMIT = RESULT_LIMITS[WaiterKind.DURABLE_FUNCTION]


@pytest.fixture(params=WaiterKind)
def world(request: pytest.FixtureRequest) -> World:
    """With waiters of each kind."""
    return World(kind=request.param)


class TestAWaiterIsResumed:
    def test_and_recorded_only_after_aws_confirmed(self, world: World) -> None:
        token, [waiter] = world.awaited()
        world.complete(token, OUTPUT)
        reply = world.tokens.retrieve(token).replies[waiter.key]
        assert (reply.kind, reply.at) == (ReplyKind.RESUMED, world.clock())

    def test_through_its_newer_handle_after_its_wait_was_retried(self, world: World) -> None:
        token, stale, newer = world.create(), world.new_waiter(), world.new_waiter()
        world.wait(token, stale)
        world.waits.stop(stale.handle)
        world.wait(token, newer)
        world.complete(token, OUTPUT)
        assert world.result(newer) == COMPLETED
        assert world.tokens.retrieve(token).replies[stale.key].kind is ReplyKind.GONE
        world.tokens.resume_waiters(token)
        assert set(world.waits.calls.values()) == {1}

    @pytest.mark.parametrize("is_too_large", [False, True], ids=["for the table", "for AWS"])
    def test_with_an_output_that_is_too_large_for_the_table_or_a_reference_to_it(
        self, world: World, is_too_large: bool
    ) -> None:
        large = json.dumps("x" * (RESULT_LIMITS[world.waits.kind] if is_too_large else IN_ITEM_LIMIT))
        token, early, late = world.create(), world.new_waiter(), world.new_waiter(unwrap=True)
        world.wait(token, early)
        world.complete(token, large)
        world.wait(token, late)
        [(key, stored)] = world.objects.items()
        assert stored.decode() == large
        reference = {"outputReference": {"bucket": world.outputs.bucket, "key": key}}
        whole, bare = (reference, reference) if is_too_large else ({"output": json.loads(large)}, json.loads(large))
        for waiter, expected in ((early, {"ok": True, **whole}), (late, bare)):
            assert world.waits.value(waiter.handle) == expected


class TestWhenAwsFailsToResume:
    def settled_with_undelivered(self, world: World, fault: Fault) -> tuple[str, Waiter]:
        token, [waiter] = world.awaited()
        world.waits.fail_next(fault)
        world.complete(token, OUTPUT)
        return token, waiter

    def test_a_failure_after_the_outcome_is_stored_does_not_fail_the_caller(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise ConnectionError("the table does not answer")

        token, [waiter] = world.awaited()
        with monkeypatch.context() as while_recording:
            while_recording.setattr(world.store, "record_replies", broken)
            world.complete(token, OUTPUT)
        assert world.result(waiter) == COMPLETED
        assert world.tokens.retrieve(token).unresumed() == [waiter]
        world.tokens.resume_waiters(token)
        assert world.tokens.retrieve(token).unresumed() == []

    @pytest.mark.parametrize("fault", [THROTTLED, UNAVAILABLE, UNREACHABLE, LOST_RESPONSE])
    def test_the_stream_resumes_the_waiter(self, world: World, fault: Fault) -> None:
        """And only once, if the answer to the first resume was lost."""
        token, waiter = self.settled_with_undelivered(world, fault)
        for _ in range(2):
            assert world.tokens.resume_waiters(token) == []
        assert (world.result(waiter), world.waits.calls[waiter.handle]) == (COMPLETED, 2)
        kind = ReplyKind.GONE if fault.takes_effect else ReplyKind.RESUMED
        assert world.tokens.retrieve(token).replies[waiter.key].kind is kind

    def test_only_the_undelivered_waiters_are_resumed_again(self, world: World) -> None:
        token, waiters = world.awaited(3)
        world.waits.fail_next(THROTTLED, handle=waiters[1].handle)
        world.complete(token, OUTPUT)
        world.tokens.resume_waiters(token)
        assert [world.waits.calls[waiter.handle] for waiter in waiters] == [1, 2, 1]
        assert all(world.result(waiter) == COMPLETED for waiter in waiters)

    @pytest.mark.parametrize(("fault", "reason"), [(THROTTLED, CannotResumeNow), (DENIED, CannotResume)])
    def test_the_error_names_the_remaining_waiters_and_the_reason(
        self, world: World, fault: Fault, reason: type[Exception]
    ) -> None:
        token, waiter = self.settled_with_undelivered(world, fault)
        world.waits.fail_next(fault)
        [undelivered] = world.tokens.resume_waiters(token)
        assert undelivered.waiter == waiter
        assert isinstance(undelivered.reason, reason)
        assert world.tokens.retrieve(token).unresumed() == [waiter]

    @pytest.mark.parametrize("late", [False, True])
    def test_a_waiter_fails_with_a_named_error_if_its_output_is_refused(self, world: World, late: bool) -> None:
        token, waiter = world.create(), world.new_waiter()
        world.waits.fail_next(OUTPUT_REFUSED, handle=waiter.handle)
        if late:
            world.complete(token, OUTPUT)
        world.wait(token, waiter)
        world.complete(token, OUTPUT)
        assert world.waits.failure(waiter.handle).error == "WaitpointOutputRefused"
        assert world.tokens.retrieve(token).unresumed() == []

    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize("unwrap", [False, True])
    @pytest.mark.parametrize(("size", "refused"), [(IN_ITEM_LIMIT, 1), (1_000_000, 1), (1_000_000, 2), (RESULT_LIMIT + 1, 1)])
    def test_a_durable_function_gets_a_reference_to_a_stored_output_that_is_refused(
        self, world: World, size: int, refused: int, unwrap: bool, late: bool
    ) -> None:
        """As from 0.3.0, which sent no more than 256 KiB, and an error only if that is refused too. A state gets the error."""
        token, waiter = world.create(), world.new_waiter(unwrap=unwrap)
        is_durable = world.waits.kind is WaiterKind.DURABLE_FUNCTION
        sent_whole = size <= RESULT_LIMITS[world.waits.kind]
        world.waits.fail_next(OUTPUT_REFUSED, refused if is_durable else 1, waiter.handle)
        for step in ("complete", "wait") if late else ("wait", "complete"):
            world.wait(token, waiter) if step == "wait" else world.complete(token, json.dumps("x" * size))
        if is_durable and sent_whole and refused == 1:
            reference = {"outputReference": {"bucket": world.outputs.bucket, "key": next(iter(world.objects))}}
            assert world.waits.value(waiter.handle) == (reference if unwrap else {"ok": True, **reference})
        else:
            assert world.result(waiter) == REFUSED
        assert world.waits.calls[waiter.handle] == (3 if is_durable and sent_whole and refused == 2 else 2)
        assert world.tokens.retrieve(token).unresumed() == []

    def test_a_reference_that_is_throttled_is_sent_by_the_stream(self, world: World) -> None:
        token, [waiter] = world.awaited()
        for fault in (OUTPUT_REFUSED, THROTTLED, OUTPUT_REFUSED):
            world.waits.fail_next(fault, handle=waiter.handle)
        world.complete(token, json.dumps("x" * IN_ITEM_LIMIT))
        assert world.result(waiter) is None
        assert world.tokens.resume_waiters(token) == []
        is_durable = world.waits.kind is WaiterKind.DURABLE_FUNCTION
        assert isinstance(world.result(waiter), Success if is_durable else Failure)

    def test_what_is_unfinished_is_known_from_one_read(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        left, _ = self.settled_with_undelivered(world, DENIED)
        done, _ = world.awaited(2)
        world.complete(done, OUTPUT)
        reads: list[list[str]] = []
        count = world.store.count_replies

        def read(token_ids: Collection[str]) -> Mapping[str, int]:
            reads.append(sorted(token_ids))
            return count(token_ids)

        monkeypatch.setattr(world.store, "count_replies", read)
        assert world.tokens.find_unfinished({left: 1, done: 2}) == {left}
        assert world.tokens.find_unfinished({done: 3}) == {done}
        assert reads == [sorted([left, done]), [done]]

    @pytest.mark.parametrize("read", [lambda _: {}, lambda _: 1 / 0])
    def test_a_read_that_misses_replies_or_fails_makes_more_tokens_unfinished(
        self, world: World, monkeypatch: pytest.MonkeyPatch, read: Callable[[Any], Any]
    ) -> None:
        done, [waiter] = world.awaited()
        world.complete(done, OUTPUT)
        monkeypatch.setattr(world.store, "count_replies", read)
        assert world.tokens.find_unfinished({done: 1}) == {done}
        assert world.tokens.resume_waiters(done) == []
        assert world.waits.calls[waiter.handle] == 1

    def test_the_stream_has_nothing_to_do_for_waiting_or_missing_tokens(self, world: World) -> None:
        token, _ = world.awaited()
        assert world.tokens.resume_waiters(token) == []
        assert world.tokens.resume_waiters(new_id(world.clock())) == []
        assert world.waits.calls.total() == 0
