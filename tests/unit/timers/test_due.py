"""When a token is looked at next: which message is sent when, and what is written."""

import json
from typing import Any, ClassVar

import pytest

from tests.support.in_process.fakes.timer_queue import Sent
from tests.support.in_process.world import World
from waitpoints.errors import NotMovedYet
from waitpoints.ids import new_id
from waitpoints.timers.due import PATIENCE, Named
from waitpoints.timers.reminders import plan_of
from waitpoints.token import NEAR, Document, DocumentKind, Rules, Status, TimedOut, Token

HOUR = 3_600_000
DAY = 24 * HOUR


def due_at(world: World, token_id: str) -> int | None:
    return world.store.get(token_id).due_at


class TestFire:
    def test_times_a_due_token_out(self, world: World) -> None:
        token_id = world.create(HOUR)
        timeout_at = world.advance(HOUR)
        world.timers.fire(token_id)
        assert world.store.get(token_id).outcome == TimedOut(timeout_at)
        assert world.queue.sent == []

    def test_at_what_has_ended_or_is_gone_or_never_times_out_does_nothing(self, world: World) -> None:
        ended, untimed = world.create(HOUR), world.create()
        world.complete(ended, "1")
        before = dict(world.store.tokens)
        for token_id in (ended, untimed, new_id(world.clock())):
            world.timers.fire(token_id)
        assert (world.queue.sent, world.store.tokens) == ([], before)

    def test_that_comes_early_is_followed_by_one_in_time(self, world: World) -> None:
        token_id = world.create(NEAR + 1)
        timeout_at = world.clock() + NEAR + 1
        world.timers.fire(token_id)  # far too early: the index has it
        assert world.queue.sent == []
        world.advance(1)
        world.timers.fire(token_id)
        assert world.queue.sent == [Sent(token_id, timeout_at, world.clock())]


class TestReminders:
    PAGE: ClassVar[dict[str, Any]] = {"title": "Go?", "approvers": ["ann", "bo"], "remind": ["4h", "1d"]}

    def create(self, world: World, timeout: int | None = None, **page: Any) -> str:
        document = Document(DocumentKind.PAGE, json.dumps({**self.PAGE, **page}))
        plan = plan_of({**self.PAGE, **page})
        first = world.clock() + min(it for it in (*plan.reminders, plan.escalation) if it is not None)
        return world.create(timeout, rules=Rules(has_approvers=True), document=document, first_ask=first)

    def test_is_reminded_in_time_and_then_due_next(self, world: World) -> None:
        token_id, start = self.create(world, 2 * DAY), world.clock()
        seen = []
        for _ in range(3):
            world.clock.now = due_at(world, token_id) or 0
            world.timers.fire(token_id)
            token = world.store.get(token_id)
            seen.append((world.clock() - start, token.reminded_count, token.due_at, token.status))
        assert seen == [
            (4 * HOUR, 1, start + DAY, Status.WAITING),
            (DAY, 2, start + 2 * DAY, Status.WAITING),
            (2 * DAY, 2, start + 2 * DAY, Status.TIMED_OUT),
        ]
        assert world.queue.sent == []  # each is far enough away for the round of the timers

    @pytest.mark.parametrize("early", [0, 1], ids=["when its timer fires", "while its timer fires"])
    def test_that_becomes_due_is_timed_out_and_not_reminded(self, world: World, early: int) -> None:
        """None is begun after the end, however late the look."""
        token_id = self.create(world, 5 * HOUR)
        world.advance(5 * HOUR - early)
        expire = world.tokens.expire

        def expire_slowly(token_id: str) -> Token | None:
            waiting = expire(token_id)
            world.advance(early)
            return waiting

        world.tokens.expire = expire_slowly  # type: ignore[method-assign]
        world.timers.fire(token_id)
        token = world.store.get(token_id)
        assert (token.status, token.reminded_count, token.reminded_at) == (Status.TIMED_OUT, 0, None)

    def test_that_has_ended_is_not_reminded(self, world: World) -> None:
        token_id = self.create(world)
        world.complete(token_id, "1")
        world.advance(DAY)
        world.timers.fire(token_id)
        assert world.store.get(token_id).reminded_count == 0

    def test_has_the_message_of_what_is_near_before_that_is_written(self, world: World) -> None:
        """The cursor has passed it. A look that comes in between asks by itself."""
        token_id = self.create(world, 4 * HOUR + 60_000)
        timeout_at = world.clock() + 4 * HOUR + 60_000
        world.advance(4 * HOUR)
        world.queue.at_each_send = lambda: world.queue.noted.append(world.store.get(token_id).reminded_count)
        world.timers.fire(token_id)
        assert world.queue.sent == [Sent(token_id, timeout_at, world.clock())]
        assert (world.queue.noted, world.store.get(token_id).reminded_count) == ([0], 1)

    @pytest.mark.parametrize("moved", [None, 20 * HOUR], ids=["another function is faster", "its deadline moves"])
    def test_that_changes_while_its_timer_fires_is_reminded_once(self, world: World, moved: int | None) -> None:
        token_id, start = self.create(world, 30 * DAY), world.clock()
        world.advance(4 * HOUR)
        remind, written = world.store.remind, []

        def be_late(token: Token, asked: Token) -> bool:
            world.store.remind = remind  # type: ignore[method-assign]
            if moved is None:
                world.timers.fire(token_id)
            else:
                assert world.timers.move_deadline(token_id, start + moved)
            written.append(remind(token, asked))
            return written[-1]

        world.store.remind = be_late  # type: ignore[method-assign]
        world.timers.fire(token_id)
        token = world.store.get(token_id)
        assert (written, token.reminded_count, token.timeout_at) == ([False], 1, start + (moved or 30 * DAY))
        assert token.due_at == start + (moved or DAY)

    def test_sends_few_messages_in_a_row_whatever_is_near(self, world: World) -> None:
        """Lambda stops a chain of a function and its queue after some 16 rounds."""
        token_id = self.create(world, 25 * HOUR + 240_000, remind="every 1h", escalate={"after": "3h5m", "to": ["lead"]})
        chain, longest = 0, 0
        while (instant := due_at(world, token_id)) and world.store.get(token_id).outcome is None:
            sent = len(world.queue.sent)
            world.clock.now = instant
            world.timers.fire(token_id)
            chain = chain + 1 if len(world.queue.sent) > sent else 0
            longest = max(longest, chain)
        assert world.store.get(token_id).reminded_count == 20
        assert 1 <= longest <= 3

    @pytest.mark.parametrize("moved", [None, 9 * DAY])
    def test_has_the_message_of_a_near_reminder_when_an_earlier_deadline_is_taken_away(
        self, world: World, moved: int | None
    ) -> None:
        token_id, start = self.create(world, 4 * HOUR - 60_000), world.clock()
        world.advance(4 * HOUR - 120_000)
        world.queue.at_each_send = lambda: world.queue.noted.append(due_at(world, token_id))
        assert world.timers.move_deadline(token_id, moved and start + moved)
        assert world.queue.sent == [Sent(token_id, start + 4 * HOUR, world.clock(), names_instant=True)]
        assert world.queue.noted == [start + 4 * HOUR - 60_000]  # sent before it is written

    def test_gets_a_later_reminder_when_its_deadline_moves_behind_it(self, world: World) -> None:
        token_id, start = self.create(world, 5 * HOUR), world.clock()
        world.advance(4 * HOUR)
        world.timers.fire(token_id)
        assert due_at(world, token_id) == start + 5 * HOUR
        assert world.timers.move_deadline(token_id, start + 2 * DAY)
        assert due_at(world, token_id) == start + DAY


class TestNewTokens:
    def test_of_the_stream_have_their_messages_sent_together(self, world: World) -> None:
        tokens = [world.store.get(world.create(minutes * 60_000)) for minutes in (1, 5, 15)]
        assert world.timers.start_new(tokens) == set()
        assert world.queue.sent == [Sent(token.id, token.timeout_at or 0, world.clock()) for token in tokens]
        assert world.queue.requests == 1

    def test_whose_message_was_refused_come_again(self, world: World) -> None:
        one, other = (world.store.get(world.create(NEAR)) for _ in range(2))
        world.queue.refused = {one.id}
        assert world.timers.start_new([one, other]) == {one.id}


class TestAMovedDeadline:
    @pytest.mark.parametrize("before", [None, 60_000, HOUR])
    @pytest.mark.parametrize("ahead", [1_000, NEAR, NEAR + 1, 9 * HOUR, None])
    def test_is_due_in_time_and_no_more_if_it_is_removed(self, world: World, before: int | None, ahead: int | None) -> None:
        token_id, moved = world.create(before), ahead and world.clock() + ahead
        world.queue.at_each_send = lambda: world.queue.noted.append(due_at(world, token_id))
        assert world.timers.move_deadline(token_id, moved)
        token = world.store.get(token_id)
        assert (token.timeout_at, token.due_at) == (moved, moved)
        is_sent = moved is not None and moved - world.clock() <= NEAR
        assert world.queue.sent == [Sent(token_id, moved or 0, world.clock(), names_instant=True)] * is_sent
        assert world.queue.noted == [None if before is None else world.clock() + before] * is_sent  # sent before it is written

    @pytest.mark.parametrize(
        ("ahead", "wakes_after"), [(9 * HOUR, HOUR), (HOUR + 1, HOUR), (HOUR - 1, HOUR - 1), (1_000, 1_000), (None, HOUR)]
    )
    @pytest.mark.parametrize("before", [None, 2 * HOUR])
    def test_keeps_an_earlier_reminder(self, world: World, before: int | None, ahead: int | None, wakes_after: int) -> None:
        document = Document(DocumentKind.PAGE, '{"title": "Go on?", "remind": ["1h"]}')
        token_id = world.create(before, document=document, first_ask=world.clock() + HOUR)
        moved = None if ahead is None else world.clock() + ahead
        assert world.timers.move_deadline(token_id, moved)
        token = world.store.get(token_id)
        assert (token.timeout_at, token.due_at) == (moved, world.clock() + wakes_after)

    @pytest.mark.parametrize(
        ("before", "moves", "kept"),
        [
            (HOUR, [2 * HOUR], [2 * HOUR]),
            (HOUR, [None], [None]),
            (HOUR, [60_000], []),
            (HOUR, [HOUR], []),
            (HOUR, [60_000, HOUR, 2 * HOUR], [HOUR, 2 * HOUR]),
            (None, [HOUR, None], [None]),
        ],
        ids=["later", "removed", "earlier", "the same", "earlier and later", "given and removed"],
    )
    def test_keeps_what_is_beside_the_token_before_it_is_written(
        self, world: World, before: int | None, moves: list[int | None], kept: list[int | None]
    ) -> None:
        token_id, start = world.create(before), world.clock()
        noted: list[int | None] = []

        def note(token: Token, timeout_at: int | None) -> None:
            assert world.store.get(token_id).timeout_at == token.timeout_at != timeout_at
            noted.append(timeout_at and timeout_at - start)

        world.store.keep_longer = note  # type: ignore[method-assign]
        for ahead in moves:
            assert world.timers.move_deadline(token_id, None if ahead is None else start + ahead)
        assert noted == kept

    @pytest.mark.parametrize(("later", "comes_again"), [(0, True), (PATIENCE - 1, True), (PATIENCE, False)])
    def test_that_is_not_written_yet_brings_its_message_back_for_a_minute(
        self, world: World, later: int, comes_again: bool
    ) -> None:
        """A minute is longer than a function can run. Then nobody writes it any more."""
        token_id, named = world.create(9 * HOUR), Named(world.clock() + 1_000, world.clock())
        world.advance(later)
        if comes_again:
            with pytest.raises(NotMovedYet):
                world.timers.fire(token_id, named)
        else:
            world.timers.fire(token_id, named)

    @pytest.mark.parametrize("has_it_as", ["dueAt", "timeoutAt"])
    def test_that_is_written_brings_no_message_back(self, world: World, has_it_as: str) -> None:
        token_id, instant = world.create(9 * HOUR), world.clock() + 2 * HOUR
        world.store.change(token_id, **{has_it_as: instant})
        world.timers.fire(token_id, Named(instant, world.clock()))

    def test_never_brings_back_a_message_of_what_has_ended_or_is_due(self, world: World) -> None:
        ended, due = world.create(HOUR), world.create(1_000)
        world.complete(ended, "1")
        world.advance(1_000)
        for token_id in (ended, due):
            world.timers.fire(token_id, Named(world.clock() + 5, world.clock()))
        assert world.store.get(due).status is Status.TIMED_OUT
