"""Which records have a look taken at their tokens, and what becomes of one whose message cannot be sent."""

from typing import Any

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.notices import FakeDeadLetters, FakeNoticeQueue
from waitpoints.stream.notice_filter import ALL_TARGETS, GIVE_UP_AFTER, REFUSED, NoticeFilter, may_matter

COUNT, YES = {"N": "1"}, {"BOOL": True}


def record(
    of: str = "waitpoint_1", name: str = "MODIFY", status: str = "WAITING", number: str = "1", **image: Any
) -> dict[str, Any]:
    named = {"id": {"S": of}, "status": {"S": status}, "hasNotify": YES, **image}
    keys = {"id": named["id"]}
    return {"eventName": name, "dynamodb": {"SequenceNumber": number, "Keys": keys, "NewImage": named}}


def with_image(name: str) -> dict[str, Any]:
    made = record()
    made["dynamodb"]["NewImage"][name] = COUNT
    return made


class NoticeWorld:
    def __init__(self) -> None:
        self.queue, self.letters, self.clock = FakeNoticeQueue(), FakeDeadLetters(), FakeClock()
        self.notice_filter = NoticeFilter(self.queue, self.letters, self.clock)

    def ask(self, *records: dict[str, Any], age: int = 0) -> list[str]:
        for it in records:
            it["dynamodb"]["ApproximateCreationDateTime"] = (self.clock() - age) / 1000
        return self.notice_filter.enqueue(records)


@pytest.fixture
def world() -> NoticeWorld:
    return NoticeWorld()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (record(name="INSERT"), True),
        (record(), False),  # a run waits for it, or its next look was moved
        (record(waiterCount=COUNT, dueAt=COUNT), False),
        *((with_image(name), True) for name in ("answerCount", "remindedCount", "escalatedAt", "movedAt", "handOverCount")),
        *((record(status=status), True) for status in ("COMPLETED", "FAILED", "TIMED_OUT")),
    ],
)
def test_a_record_matters_that_says_something_to_people(given: dict[str, Any], expected: bool) -> None:
    assert may_matter(given) is expected
    del given["dynamodb"]["NewImage"]["hasNotify"]
    assert not may_matter(given)


def test_each_token_is_looked_at_once(world: NoticeWorld) -> None:
    records = [record(name="INSERT"), record(answerCount=COUNT), record("waitpoint_2", status="FAILED"), record("waitpoint_3")]
    assert world.ask(*records) == []
    assert world.queue.sent == ["waitpoint_1", "waitpoint_2"]


def test_nothing_is_asked_for_what_concerns_nobody(world: NoticeWorld) -> None:
    world.queue.fails = AssertionError("it is asked")
    assert world.ask(record()) == []
    assert world.ask() == []


def test_the_records_of_a_message_that_is_refused_come_again(world: NoticeWorld) -> None:
    world.queue.refused = {"waitpoint_1"}
    records = [
        record(name="INSERT", number="7"),
        record("waitpoint_2", "INSERT", number="8"),
        record(answerCount=COUNT, number="9"),
    ]
    assert world.ask(*records) == ["7", "9"]
    assert (world.queue.sent, world.letters.notices) == (["waitpoint_2"], [])


class TestAnOldRecord:
    """It has kept back the waiters and timers of later records for long enough."""

    def test_becomes_a_dead_letter(self, world: NoticeWorld) -> None:
        world.queue.fails = ConnectionError()
        assert world.ask(record(name="INSERT"), age=GIVE_UP_AFTER - 1) == ["1"]
        assert world.ask(record(name="INSERT"), age=GIVE_UP_AFTER) == []
        assert world.letters.notices == [("waitpoint_1", ALL_TARGETS, "ConnectionError")]

    def test_becomes_none_if_its_message_is_sent(self, world: NoticeWorld) -> None:
        world.queue.refused = {"waitpoint_2"}
        assert world.ask(record(name="INSERT"), record("waitpoint_2", "INSERT"), age=GIVE_UP_AFTER) == []
        assert world.letters.notices == [("waitpoint_2", ALL_TARGETS, REFUSED)]

    def test_comes_again_if_no_letter_can_be_written_and_none_is_tried_again(self, world: NoticeWorld) -> None:
        world.queue.fails = ConnectionError()
        tried: list[str] = []

        def put(token_id: str, target: str, reason: str) -> None:
            tried.append(f"{token_id} {target} {reason}")
            raise ConnectionError

        world.letters.put_notice = put  # type: ignore[method-assign]
        records = [record(f"waitpoint_{number}", "INSERT", number=str(number)) for number in range(3)]
        assert world.ask(*records, age=GIVE_UP_AFTER) == ["0", "1", "2"]
        assert len(tried) == 1

    def test_of_a_token_that_a_young_one_tells_of_too_comes_again_with_it(self, world: NoticeWorld) -> None:
        world.queue.fails = ConnectionError()
        records = [record(name="INSERT", number="1"), record(name="MODIFY", number="2", answerCount=COUNT)]
        for it, age in zip(records, (GIVE_UP_AFTER, 0), strict=True):
            it["dynamodb"]["ApproximateCreationDateTime"] = (world.clock() - age) / 1000
        assert world.notice_filter.enqueue(records) == ["1", "2"]
        assert world.letters.notices == []
