"""A record or message that cannot be read ends as a dead letter, and what is behind it goes on: each consumer has its test.

`tests/integration/test_doctor_store.py` and `test_due_index.py` have what the doctor and the timers' rounds read.
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

import expire_tokens
import resume_waiters
import schedule_timeouts
import send_notices
from tests.support import stream_records
from tests.support.in_process.event_sources import failures, queue_event
from tests.support.in_process.fakes.notices import FakeNoticeQueue
from tests.support.in_process.template import Context
from tests.support.in_process.world import World
from tests.support.stream_records import Letters, consume, settle
from waitpoints import ids
from waitpoints.errors import CannotResumeNow, TryAgain
from waitpoints.stream.notice_filter import NoticeFilter
from waitpoints.stream.record import GIVE_UP_AFTER, is_given_up, keep, may_be_read_later
from waitpoints.token import Token
from waitpoints.wiring import services

MINUTE = 60_000


@pytest.fixture
def letters(world: World, monkeypatch: pytest.MonkeyPatch) -> Letters:
    """A stack without a bus and channels, and its dead letters."""
    world.install(monkeypatch)
    letters = Letters()
    for name, built in {"dead_letters": letters, "event_publisher": None, "notice_filter": None}.items():
        monkeypatch.setitem(vars(services), name, built)
    return letters


def record(world: World, token: Token, **image: Any) -> dict[str, Any]:
    """The stream's record of a token, written now. `image` replaces attributes."""
    return stream_records.record(token, world.clock(), **image)


def settled(world: World) -> Token:
    """A token whose waiter nobody has resumed."""
    return settle(world, waiter=world.new_waiter())


def is_resumed(world: World, token: Token) -> bool:
    return not world.tokens.retrieve(token.id).unresumed()


class TestANewToken:
    """For `schedule_timeouts`."""

    def make(self, world: World) -> tuple[dict[str, Any], dict[str, Any]]:
        poison, other = (world.store.get(world.create(timeout=MINUTE)) for _ in range(2))
        return record(world, poison, deliveryRules={"S": "no map"}), record(world, other)

    def test_that_cannot_be_read_is_a_dead_letter_after_minutes(self, world: World, letters: Letters) -> None:
        poison, other = self.make(world)
        world.advance(GIVE_UP_AFTER - 1)
        assert consume(schedule_timeouts, poison, other) == [poison["dynamodb"]["SequenceNumber"]]
        assert [sent.token_id for sent in world.queue.sent] == [other["dynamodb"]["SequenceNumber"]]
        assert letters.of_tokens == []
        world.advance(1)
        assert consume(schedule_timeouts, poison, other) == []
        assert letters.of_tokens == [(poison["dynamodb"]["SequenceNumber"], "not read: AttributeError")]

    def test_has_people_told_of_it_anyway(self, world: World, letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
        queue, dead_letters = FakeNoticeQueue(), letters
        monkeypatch.setitem(vars(services), "notice_filter", NoticeFilter(queue, dead_letters, world.clock))  # type: ignore[arg-type]
        poison, _ = self.make(world)
        poison["dynamodb"]["NewImage"]["hasNotify"] = {"BOOL": True}
        world.advance(GIVE_UP_AFTER)
        assert consume(schedule_timeouts, poison) == []
        assert queue.sent == [poison["dynamodb"]["SequenceNumber"]]


class TestASettledToken:
    """For `resume_waiters`."""

    def break_reading(self, world: World, monkeypatch: pytest.MonkeyPatch, token: Token, error: Exception) -> None:
        find = world.store.find

        def find_unless_poison(token_id: str) -> Token | None:
            if token_id == token.id:
                raise error
            return find(token_id)

        monkeypatch.setattr(world.store, "find", find_unless_poison)

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (KeyError("source"), "not read: KeyError"),
            (ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject"), "not read: ClientError"),
            (ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"), "not read: ClientError"),
        ],
        ids=["token", "output", "output, from one that may not list"],
    )
    def test_that_cannot_be_read_is_a_dead_letter_after_minutes(
        self, world: World, letters: Letters, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
    ) -> None:
        poison, other = settled(world), settled(world)
        records = [record(world, poison), record(world, other)]
        self.break_reading(world, monkeypatch, poison, error)
        assert consume(resume_waiters, *records) == [poison.id]
        assert (is_resumed(world, other), letters.of_tokens) == (True, [])
        world.advance(GIVE_UP_AFTER)
        assert consume(resume_waiters, *records) == []
        assert letters.of_tokens == [(poison.id, reason)]

    @pytest.mark.parametrize("error", [CannotResumeNow(), ClientError({"Error": {"Code": "ThrottlingException"}}, "Query")])
    def test_that_aws_may_answer_for_later_is_kept_trying(
        self, world: World, letters: Letters, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        token = settled(world)
        written = record(world, token)
        self.break_reading(world, monkeypatch, token, error)
        world.advance(60 * GIVE_UP_AFTER)
        assert consume(resume_waiters, written) == [token.id]
        assert letters.of_tokens == []

    def test_whose_number_of_waiters_cannot_be_read_is_looked_at(self, world: World, letters: Letters) -> None:
        poison, other = settled(world), settled(world)
        assert consume(resume_waiters, record(world, poison, waiterCount=None), record(world, other)) == []
        assert is_resumed(world, poison)
        assert is_resumed(world, other)


class TestAMessage:
    """For the consumers of queues: nothing is behind it, as each message comes by itself."""

    @pytest.mark.parametrize("module", [expire_tokens, send_notices])
    @pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"waitpointId": 7}', '{"waitpointId": "other"}'])
    def test_that_cannot_be_read_fails_alone(
        self, world: World, letters: Letters, monkeypatch: pytest.MonkeyPatch, module: Any, body: str
    ) -> None:
        monkeypatch.setitem(vars(services), "notice_store", None)
        good = json.dumps({"waitpointId": ids.new_id(world.clock())})
        event = queue_event([body, good] if module is expire_tokens else [body])
        assert failures(module.handler(event, Context(module.__name__))) == ["0"]


def test_it_is_given_up_by_the_clock_and_never_in_a_redrive() -> None:
    written = {"dynamodb": {"ApproximateCreationDateTime": 1_000}}
    assert not is_given_up(written, 1_000_000 + GIVE_UP_AFTER - 1)
    assert is_given_up(written, 1_000_000 + GIVE_UP_AFTER)
    assert not is_given_up({"dynamodb": {}}, 10**15)


@pytest.mark.parametrize("error", [KeyError(), ValueError(), AttributeError(), RecursionError()])
def test_what_is_no_failure_of_aws_does_not_pass(error: Exception) -> None:
    assert not may_be_read_later(error)


def test_one_whose_dead_letter_cannot_be_put_comes_again() -> None:
    def refuse(token_id: str, reason: str) -> None:
        raise TryAgain("no queue")

    written = {"dynamodb": {"ApproximateCreationDateTime": 1, "Keys": {"id": {"S": "1"}}}}
    assert not keep(written, KeyError(), 10**15, refuse)
