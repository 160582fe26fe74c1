"""The stream's consumer with an event bus: which records become events, and which of them come again."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

import resume_waiters
from tests.support import stream_records
from tests.support.in_process.fakes.event_bus import FakeEventBridge
from tests.support.in_process.fakes.waits import THROTTLED
from tests.support.in_process.template import Context
from tests.support.in_process.world import World
from tests.support.stream_records import Letters
from waitpoints.aws.services.event_bus import EventBus
from waitpoints.stream.event_publisher import GIVE_UP_AFTER, REMEMBERED, WRITTEN_WITHIN, EventPublisher
from waitpoints.stream.record import GIVE_UP_AFTER as UNREAD_AFTER
from waitpoints.stream.settled_event import settled_event
from waitpoints.token import (
    ALL_CHECKED,
    Answer,
    Completed,
    Document,
    DocumentKind,
    HandOver,
    Output,
    Rules,
    Token,
    Waiter,
)
from waitpoints.wiring import services

CONTEXT: Any = Context("resume_waiters")


@dataclass
class Consumer:
    world: World
    eventbridge: FakeEventBridge
    letters: Letters

    def settle(self, output: str | None = "1", waiter: Waiter | None = None, metadata: str | None = None) -> Token:
        """A token that was completed, and whose waiter nobody has resumed yet."""
        return stream_records.settle(self.world, output, waiter, metadata)

    def record(self, token: Token, written_at: int | None = None) -> dict[str, Any]:
        return stream_records.record(token, self.world.clock() if written_at is None else written_at)

    def consume(self, *records: dict[str, Any]) -> list[str]:
        return stream_records.consume(resume_waiters, *records)

    def told(self) -> list[str]:
        """The ids of the tokens whose events are on the bus, in order."""
        return [json.loads(entry["Detail"])["id"] for entry in self.eventbridge.entries]


@pytest.fixture
def consumer(world: World, monkeypatch: pytest.MonkeyPatch) -> Consumer:
    world.install(monkeypatch)
    made = Consumer(world, FakeEventBridge(), Letters())
    letters: Any = made.letters
    bus = EventBus(lambda: made.eventbridge, "orders")
    event_publisher = EventPublisher(bus, world.store, letters, "outputs", world.clock)
    monkeypatch.setitem(vars(services), "event_publisher", event_publisher)
    monkeypatch.setitem(vars(services), "dead_letters", letters)
    return made


def ids_of(tokens: Sequence[Token]) -> list[str]:
    return [token.id for token in tokens]


def test_an_event_is_made_without_reading_the_table_but_for_metadata(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, described = consumer.settle(), consumer.settle(metadata='{"order":1.50}')
    monkeypatch.setattr(consumer.world.store, "find", None)
    read = _reads(consumer, monkeypatch)
    assert consumer.consume(*map(consumer.record, (plain, described))) == []
    details = [entry["Detail"] for entry in consumer.eventbridge.entries]
    assert [',"metadata":{"order":1.50},' in detail for detail in details] == [False, True]
    assert read == [described.id]


def test_a_token_whose_metadata_cannot_be_read_comes_again_and_keeps_no_other_back(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiter = consumer.world.new_waiter()
    first, plain, second = consumer.settle(metadata="{}", waiter=waiter), consumer.settle(), consumer.settle(metadata="{}")
    records = [consumer.record(token) for token in (first, plain, second)]
    with monkeypatch.context() as broken:
        read = _reads(consumer, broken, fails=True)
        assert consumer.consume(*records) == [first.id, second.id]
    assert read == [first.id]  # the waiters need the time
    assert consumer.told() == [plain.id]
    assert consumer.world.step_functions.result(waiter.handle) is not None

    assert consumer.consume(*records) == []
    assert sorted(consumer.told()) == sorted([first.id, plain.id, second.id])


def _reads(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> list[str]:
    """The ids of the tokens whose metadata is read from now on."""
    found, read = [], consumer.world.store.read_document

    def read_document(token_id: str, kind: DocumentKind) -> str | None:
        found.append(token_id)
        if fails:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")
        return read(token_id, kind)

    monkeypatch.setattr(consumer.world.store, "read_document", read_document)
    return found


def test_a_kept_completion_has_no_event_until_it_is_claimed(consumer: Consumer) -> None:
    now = consumer.world.clock()
    token = consumer.settle()
    kept = Token(id=token.id, created_at=now, outcome=token.outcome, early_until=now + 1000)
    assert consumer.consume(consumer.record(kept)) == []
    assert consumer.told() == []
    assert consumer.consume(consumer.record(token)) == []
    assert consumer.told() == [token.id]


def test_exactly_the_records_of_failed_entries_come_again(consumer: Consumer) -> None:
    tokens = [consumer.settle(f'"{number}."') for number in range(25)]
    for number in (3, 17):
        consumer.eventbridge.fail_entries_with(f'"{number}."', "ThrottlingException")
    assert consumer.consume(*map(consumer.record, tokens)) == [tokens[3].id, tokens[17].id]

    consumer.eventbridge.fail_no_more()
    assert consumer.consume(*map(consumer.record, tokens[3:])) == []  # Lambda sends again from the lowest failed one
    assert sorted(consumer.told()) == sorted(ids_of(tokens))  # each once
    assert consumer.letters.of_events == []


@pytest.mark.parametrize("is_defect", [False, True])
def test_a_failed_event_does_not_keep_back_the_waiters(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, is_defect: bool
) -> None:
    waiter = consumer.world.new_waiter()
    token = consumer.settle(waiter=waiter)
    consumer.eventbridge.be_unreachable()
    if is_defect:
        monkeypatch.setattr(consumer.eventbridge, "put_events", None)
    assert consumer.consume(consumer.record(token)) == [token.id]
    assert consumer.world.step_functions.result(waiter.handle) is not None


def test_a_failed_waiter_does_not_keep_back_the_event_nor_repeat_it(consumer: Consumer) -> None:
    consumer.world.step_functions.fail_next(THROTTLED)
    token = consumer.settle(waiter=consumer.world.new_waiter())
    assert consumer.consume(consumer.record(token)) == [token.id]
    assert consumer.consume(consumer.record(token)) == []
    assert consumer.told() == [token.id]


def test_a_record_that_cannot_be_read_or_whose_event_cannot_be_made_keeps_back_no_other(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first, which a newer version may have written, is a dead letter after minutes, the second at once."""
    poison, unmade, other = (consumer.settle(waiter=consumer.world.new_waiter()) for _ in range(3))
    records = [consumer.record(token) for token in (poison, unmade, other)]
    records[0]["dynamodb"]["NewImage"]["completedBy"] = {"M": {"source": {"S": "something new"}}}

    def make(token: Token, *arguments: Any, **named: Any) -> Any:
        if token.id == unmade.id:
            raise KeyError
        return settled_event(token, *arguments, **named)

    monkeypatch.setattr("waitpoints.stream.event_publisher.settled_event", make)
    assert consumer.consume(*records) == [poison.id]
    assert not any(consumer.world.tokens.retrieve(token.id).unresumed() for token in (poison, unmade, other))
    assert consumer.told() == [other.id]
    consumer.world.advance(UNREAD_AFTER)
    assert consumer.consume(*records) == []
    assert consumer.letters.of_events == [(unmade.id, "not made: KeyError"), (poison.id, "not read: ValueError")]


@pytest.mark.parametrize("code", ["AccessDeniedException", "NotAuthorizedForSourceException", "MalformedDetail"])
def test_what_a_retry_does_not_fix_is_dead_lettered_at_once(consumer: Consumer, code: str) -> None:
    """A retry would keep back the waiters of every later record of the shard. The last is refused without its output, too."""
    refused, other = consumer.settle(), consumer.settle()
    consumer.eventbridge.fail_entries_with(refused.id, code)
    assert consumer.consume(consumer.record(refused), consumer.record(other)) == []
    assert consumer.letters.of_events == [(refused.id, code)]
    assert consumer.told() == [other.id]


def test_a_dead_letter_that_cannot_be_written_is_tried_again_with_its_record(consumer: Consumer) -> None:
    token = consumer.settle()
    consumer.eventbridge.fail_entries_with("id", "AccessDeniedException")
    consumer.letters.is_broken = True
    assert consumer.consume(consumer.record(token)) == [token.id]
    consumer.letters.is_broken = False
    assert consumer.consume(consumer.record(token)) == []
    assert consumer.letters.of_events == [(token.id, "AccessDeniedException")]


@pytest.mark.parametrize(
    ("metadata", "reason"), [(None, "ConnectionClosedError"), ("{}", "ThrottlingException")], ids=["not put", "not read"]
)
def test_an_event_is_retried_for_an_hour_and_then_dead_lettered(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, metadata: str | None, reason: str
) -> None:
    token, written_at = consumer.settle(metadata=metadata), consumer.world.clock()
    consumer.eventbridge.be_unreachable()
    _reads(consumer, monkeypatch, fails=True)
    for waited, failed in ((GIVE_UP_AFTER - 1, [token.id]), (GIVE_UP_AFTER, [])):
        consumer.world.clock.now = written_at + waited
        assert consumer.consume(consumer.record(token, written_at)) == failed
    assert consumer.letters.of_events == [(token.id, reason)]


@pytest.mark.parametrize("code", ["MalformedDetail", "InvalidArgument"])
def test_an_event_whose_output_is_refused_is_put_without_it(
    consumer: Consumer, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    token, other = consumer.settle("123456789012345678901234567890"), consumer.settle()
    consumer.eventbridge.fail_entries_with('"output":1234', code)
    assert consumer.consume(consumer.record(token), consumer.record(other)) == []
    said = {one["id"]: one for one in (json.loads(entry["Detail"]) for entry in consumer.eventbridge.entries)}
    assert said[token.id]["outputRefused"] is True
    assert "output" in said[other.id]
    assert consumer.letters.of_events == []
    assert '"EventOutputsRefused":[1.0]' in capsys.readouterr().out


def test_no_payload_reaches_the_log(consumer: Consumer, log: io.StringIO) -> None:
    tokens = [consumer.settle('"the payload"') for _ in range(3)]
    consumer.eventbridge.fail_entries_with(tokens[1].id, "ThrottlingException")
    consumer.consume(*map(consumer.record, tokens))
    consumer.eventbridge.fail_entries_with(tokens[1].id, "MalformedDetail")
    consumer.consume(consumer.record(tokens[1]))
    assert "the payload" not in log.getvalue()
    assert "repeat the detail" not in log.getvalue()
    [first, *_] = [json.loads(line) for line in log.getvalue().splitlines() if '"publish"' in line]
    assert (first["records"], first["notPut"], first["reason"]) == (3, 1, "ThrottlingException")


def test_a_redrive_puts_the_event_of_a_token(consumer: Consumer) -> None:
    token = consumer.settle()
    waiting, removed = consumer.world.create(), "waitpoint_01mcc5rm00hh7k2v9q3w8x5n4t"
    asked = {"command": "publishEvents", "waitpointIds": [token.id, waiting, removed]}
    consumer.eventbridge.fail_entries_with(token.id, "AccessDeniedException")
    assert resume_waiters.handler(asked, CONTEXT) == {"notPut": 1}
    assert consumer.letters.of_events == []  # the operator sees the response
    consumer.eventbridge.fail_no_more()
    assert resume_waiters.handler(asked, CONTEXT) == {"notPut": 0}
    assert consumer.told() == [token.id]


def test_without_a_bus_a_redrive_has_no_event_to_put(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.install(monkeypatch)
    assert resume_waiters.handler({"command": "publishEvents", "waitpointIds": [world.create()]}, CONTEXT) == {"notPut": 0}


def test_a_record_without_waiters_reads_nothing_without_a_bus(
    world: World, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can come right after a bus was taken away."""
    token = consumer.settle()
    monkeypatch.setitem(vars(services), "event_publisher", None)
    monkeypatch.setattr(world.store, "find", None)
    assert consumer.consume(consumer.record(token)) == []
    assert consumer.told() == []


def test_only_the_last_records_are_remembered(consumer: Consumer) -> None:
    first, *others = [consumer.settle() for _ in range(REMEMBERED + 1)]
    for one in first, *others:
        consumer.consume(consumer.record(one))
    consumer.consume(consumer.record(others[0]))
    assert len(consumer.told()) == REMEMBERED + 1
    consumer.consume(consumer.record(first))
    assert consumer.told()[-1] == first.id


PAGE = json.dumps({"title": "Go?", "approvers": ["ann", "bo", "cy"], "escalate": {"after": "1d", "to": ["lead"]}})


@dataclass
class Asking:
    """A waiting token with a page, and what happens to it."""

    consumer: Consumer
    token_id: str

    def answer(self, approver: str, fields: str = "{}") -> dict[str, Any]:
        """Returns the record of the stream, as for each of these."""
        answer = Answer(approver, "approve", fields, self.consumer.world.clock())
        return self._record(self.consumer.world.store.answer(self.token, answer, None)[0])

    def remind(self) -> dict[str, Any]:
        count, now = self.token.reminded_count + 1, self.consumer.world.clock()
        return self._record(self._ask(reminded_count=count, reminded_at=now))

    def escalate(self) -> dict[str, Any]:
        return self._record(self._ask(escalated_at=self.consumer.world.clock()))

    def remove(self, approver: str) -> dict[str, Any]:
        away = HandOver((), (approver,), self.consumer.world.clock())
        return self._record(self.consumer.world.store.hand_over(self.token, away))

    def wait(self) -> dict[str, Any]:
        waiter = self.consumer.world.new_waiter()
        return self._record(self.consumer.world.store.add_waiter(self.token_id, waiter, self.consumer.world.clock()) is None)

    @property
    def token(self) -> Token:
        return self.consumer.world.store.get(self.token_id)

    def told(self) -> list[str]:
        """What the events are about, in order."""
        details = [json.loads(entry["Detail"]) for entry in self.consumer.eventbridge.entries]
        return [it["eventId"].removeprefix(f"{self.token_id}/") if "eventId" in it else "end" for it in details]

    def _ask(self, **noted: Any) -> bool:
        return self.consumer.world.store.remind(self.token, replace(self.token, **noted))

    def _record(self, is_written: bool) -> dict[str, Any]:
        assert is_written
        return self.consumer.record(self.token)


@pytest.fixture
def asking(consumer: Consumer) -> Asking:
    page = Document(DocumentKind.PAGE, PAGE)
    return Asking(consumer, consumer.world.create(rules=Rules(has_approvers=True), document=page))


class TestAWaitingToken:
    def test_has_an_event_for_each_thing_that_happens(self, consumer: Consumer, asking: Asking) -> None:
        records = [
            asking.answer("ann"),
            asking.remind(),
            asking.answer("cy"),
            asking.escalate(),
            asking.remind(),
            asking.wait(),
        ]
        for record in records:
            assert consumer.consume(record) == []
        assert asking.told() == ["answered/1", "reminder/1", "answered/2", "escalated/1", "reminder/2"]
        assert [entry["DetailType"] for entry in consumer.eventbridge.entries][:2] == [
            "waitpoint.answered",
            "waitpoint.reminder",
        ]
        assert json.loads(consumer.eventbridge.entries[-1]["Detail"])["unanswered"] == ["bo", "lead"]

    def test_is_read_only_for_what_asks_for_an_answer_and_its_waiters_never(
        self, consumer: Consumer, asking: Asking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asking.wait()
        record = asking.answer("ann")
        for read in ("find", "count_replies"):
            monkeypatch.setattr(consumer.world.store, read, None)
        assert consumer.consume(record) == []
        assert asking.told() == ["answered/1"]

    @pytest.mark.parametrize("later", [0, WRITTEN_WITHIN, WRITTEN_WITHIN + 1])
    def test_repeats_no_event_that_an_earlier_record_has_had(self, consumer: Consumer, asking: Asking, later: int) -> None:
        """Another environment of the function remembers nothing: its record of a much later change has only that.

        The record of a change at the same moment shows both, and neither has the other's number.
        """
        asking.answer("ann")
        consumer.world.advance(later)
        consumer.consume(asking.remind())
        assert asking.told() == [*(["answered/1"] if later <= WRITTEN_WITHIN else []), "reminder/1"]

    @pytest.mark.parametrize("ends", ["completed", "timed out", "removed"])
    def test_that_ends_before_its_reminder_is_put_has_none(self, consumer: Consumer, asking: Asking, ends: str) -> None:
        records, store, now = [asking.answer("ann"), asking.remind()], consumer.world.store, consumer.world.clock()
        match ends:
            case "completed":
                store.complete(asking.token_id, Completed(now, Output("1")), ALL_CHECKED)
            case "timed out":
                store.change(asking.token_id, timeoutAt=now)
            case _:
                store.remove(asking.token_id)
        assert consumer.consume(*records) == []
        assert asking.told() == ["answered/1"]

    @pytest.mark.parametrize("is_before", [True, False])
    def test_has_no_event_of_an_escalation_to_nobody(self, consumer: Consumer, asking: Asking, is_before: bool) -> None:
        """Who was removed afterwards was asked: the escalation's own record names them."""
        happens = (partial(asking.remove, "lead"), asking.escalate)
        records = [happen() for happen in (happens if is_before else reversed(happens))]
        assert consumer.consume(*records) == []
        assert asking.told() == (["handed_over/1"] if is_before else ["escalated/1", "handed_over/1"])
        resume_waiters.handler({"command": "publishEvents", "waitpointIds": [asking.token_id]}, CONTEXT)
        assert asking.told()[-1] == "handed_over/1"
        assert asking.token.escalated_at is not None

    def test_that_cannot_be_read_comes_again_and_keeps_back_no_other(
        self, consumer: Consumer, asking: Asking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record, other, written_at = asking.remind(), consumer.settle(), consumer.world.clock()
        with monkeypatch.context() as broken:
            broken.setattr(consumer.world.store, "find", None)
            assert consumer.consume(record, consumer.record(other)) == [asking.token_id]
            assert consumer.told() == [other.id]
            consumer.world.clock.now = written_at + GIVE_UP_AFTER
            assert consumer.consume(record) == []  # else it would keep back the waiters of later records
        assert consumer.letters.of_events == [(asking.token_id, "not read: TypeError")]

    def test_has_the_fields_of_an_answer_only_if_eventbridge_takes_them(self, consumer: Consumer, asking: Asking) -> None:
        consumer.eventbridge.fail_entries_with('"fields":', "MalformedDetail")
        assert consumer.consume(asking.answer("ann", '{"share":123456789012345678901234567890}')) == []
        assert json.loads(consumer.eventbridge.entries[0]["Detail"])["fieldsRefused"] is True
        assert consumer.letters.of_events == []

    def test_has_every_event_that_it_may_lack_put_by_a_redrive(self, consumer: Consumer, asking: Asking) -> None:
        for happens in (partial(asking.answer, "ann"), asking.remind, partial(asking.answer, "cy"), asking.remind):
            happens()
        assert resume_waiters.handler({"command": "publishEvents", "waitpointIds": [asking.token_id]}, CONTEXT) == {"notPut": 0}
        assert asking.told() == ["answered/1", "answered/2", "reminder/2"]
        consumer.world.store.complete(asking.token_id, Completed(consumer.world.clock(), Output("1")), ALL_CHECKED)
        assert resume_waiters.handler({"command": "publishEvents", "waitpointIds": [asking.token_id]}, CONTEXT) == {"notPut": 0}
        assert asking.told()[3:] == ["answered/1", "answered/2", "end"]
