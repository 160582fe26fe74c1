"""The function behind the notice queue, and those behind the stream that fill it."""

import io
import json
from typing import Any

import pytest

import resume_waiters
import schedule_timeouts
import send_notices
from tests.support.in_process.event_sources import failures, queue_event
from tests.support.in_process.fakes.notices import FakeNoticeQueue
from tests.support.in_process.template import Context
from tests.support.notified import Notified
from waitpoints import telemetry
from waitpoints.aws.items import StoredStatus, token_item
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.stream.notice_filter import NoticeFilter
from waitpoints.wiring import services

HOUR = 3_600_000
SECRETS = ("ann@example.com", "U01BO", "#deploys", "https://", "approver=", "Go?")


class Queue(FakeNoticeQueue):
    """Notes when a message is to come again."""

    def __init__(self) -> None:
        super().__init__()
        self.again: list[tuple[str, int, int | None]] = []
        self.does_not_answer = False

    def come_again(self, receipt_handle: str, receives: int, after: int | None = None) -> None:
        if self.does_not_answer:
            raise ConnectionError
        self.again.append((receipt_handle, receives, after))


class NoticeWorld(Notified):
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.install(monkeypatch)
        self.notice_queue = Queue()
        for name, built in {
            "notice_queue": self.notice_queue,
            "notice_store": self.record,
            "notice_filter": NoticeFilter(self.notice_queue, self.dead_letters, self.clock),
            "dead_letters": self.dead_letters,
            "event_publisher": None,
            "api_url": "https://api.example.com",
        }.items():
            monkeypatch.setitem(vars(services), name, built)

    def streamed(self, token_id: str, name: str, number: str = "1", **more: Any) -> dict[str, Any]:
        token = self.store.get(token_id)
        status = StoredStatus.COMPLETED if token.outcome else StoredStatus.WAITING
        image = {**token_item(token), "status": {"S": status}, **more}
        keys = {key: image[key] for key in ("id", "item")}
        return {"eventName": name, "eventID": number, "dynamodb": {"SequenceNumber": number, "Keys": keys, "NewImage": image}}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> NoticeWorld:
    return NoticeWorld(monkeypatch)


def call(module: Any, event: Any) -> Any:
    return module.handler(event, Context(module.__name__))


def receive(*messages: dict[str, str]) -> list[str]:
    """The messages that come again."""
    return failures(call(send_notices, queue_event([json.dumps(one) for one in messages])))


class TestAMessage:
    def test_notifies_everybody_with_their_link(self, world: NoticeWorld) -> None:
        assert receive({"waitpointId": world.token_id, "undone": "notice"}) == []
        links = {one.target: one.link for one in world.channel.sent}
        assert links["slack"] is None
        assert {links["email.0"], links["slack.1"]} == {
            world.urls.url(world.token_id, "", approver) for approver in ("ann@example.com", "bo")
        }
        assert world.notice_queue.again == []

    @pytest.mark.parametrize(
        ("error", "after"), [(NotSentNow("ratelimited", 30), 30), (NotSentNow("internal_error"), None), (KeyError(), None)]
    )
    def test_comes_again_when_the_channel_wants_it(self, world: NoticeWorld, error: Exception, after: int | None) -> None:
        world.channel.fails["slack"] = [error]
        assert receive({"waitpointId": world.token_id}) == ["0"]
        assert world.notice_queue.again == [("handle-0", 1, after)]

    def test_of_a_later_version_comes_again(self, world: NoticeWorld) -> None:
        assert receive({"waitpointId": world.token_id, "later": "yes"}) == ["0"]
        assert world.channel.sent == []

    def test_of_a_redrive_is_sent_again_and_what_fails_is_counted(self, world: NoticeWorld) -> None:
        world.channel.fails["slack"] = [NotSent("no_such_channel")] * 2
        assert receive({"waitpointId": world.token_id}) == []
        redrive = {"command": "sendNotices", "waitpointIds": [world.token_id]}
        assert [call(send_notices, redrive) for _ in range(2)] == [{"notSent": 1}, {"notSent": 0}]

    def test_comes_again_by_itself_if_the_queue_does_not_answer(self, world: NoticeWorld) -> None:
        world.notice_queue.does_not_answer = True
        world.channel.fails["slack"] = [NotSentNow("internal_error")]
        assert receive({"waitpointId": world.token_id}) == ["0"]

    def test_goes_on_in_another_invocation_when_time_is_short(
        self, world: NoticeWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: send_notices.LAST_STEP)
        assert receive({"waitpointId": world.token_id}) == ["0"]
        assert (world.channel.sent, world.notice_queue.again) == ([], [("handle-0", 1, 0)])
        monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: send_notices.LAST_STEP + 1)
        assert receive({"waitpointId": world.token_id}) == []
        assert len(world.channel.sent) == 3

    @pytest.mark.parametrize(("more", "is_later"), [({"kind": "digest"}, False), ({}, True)])
    def test_of_a_later_version_stays_queued(self, world: NoticeWorld, more: dict[str, str], is_later: bool) -> None:
        if is_later:
            world.store.make_later(world.token_id)
        assert receive({"waitpointId": world.token_id, **more}) == ["0"]
        assert (world.channel.sent, world.notice_queue.again) == ([], [("handle-0", 1, None)])

    def test_leaves_nothing_of_people_in_the_log(self, world: NoticeWorld, capsys: pytest.CaptureFixture[str]) -> None:
        handler: Any = telemetry.logger.registered_handler
        before = handler.setStream(lines := io.StringIO())
        world.channel.fails = {"slack": [NotSentNow("ratelimited", 1)], "email.0": [NotSent("MessageRejected")]}
        receive({"waitpointId": world.token_id})
        handler.setStream(before)
        logged = lines.getvalue() + capsys.readouterr().out
        assert world.token_id in logged
        assert [text for text in SECRETS if text in logged] == []
        assert '"NoticesSent":[1.0]' in logged
        assert '"NoticesRefused":[1.0]' in logged


class TestTheStream:
    def schedule(self, *records: dict[str, Any]) -> list[str]:
        return failures(call(schedule_timeouts, {"Records": list(records)}))

    def settle(self, *records: dict[str, Any]) -> list[str]:
        return failures(call(resume_waiters, {"Records": list(records)}))

    def test_has_new_tokens_looked_at_and_starts_only_the_timers_that_are_near(self, world: NoticeWorld) -> None:
        near, far, never = world.create(timeout=60_000), world.create(timeout=HOUR), world.create()
        assert self.schedule(*(world.streamed(token_id, "INSERT") for token_id in (near, far, never))) == []
        assert world.notice_queue.sent == [near, far, never]
        assert [sent.token_id for sent in world.queue.sent] == [near]

    def test_has_changed_tokens_looked_at_and_starts_no_timer(self, world: NoticeWorld) -> None:
        token_id = world.create(timeout=60_000)
        assert self.schedule(world.streamed(token_id, "MODIFY", remindedCount={"N": "1"})) == []
        assert (world.notice_queue.sent, world.queue.sent) == ([token_id], [])

    def test_has_a_timer_started_all_the_same_if_no_look_can_be_asked_for(self, world: NoticeWorld) -> None:
        world.notice_queue.fails = ConnectionError()
        one, other = world.create(timeout=60_000), world.create()
        assert self.schedule(world.streamed(one, "INSERT", "7"), world.streamed(other, "INSERT", "8")) == ["7", "8"]
        assert [sent.token_id for sent in world.queue.sent] == [one]

    def test_names_a_record_once_that_neither_timer_nor_look_was_asked_for(self, world: NoticeWorld) -> None:
        token_id = world.create(timeout=60_000)
        world.notice_queue.fails, world.queue.refused = ConnectionError(), {token_id}
        assert self.schedule(world.streamed(token_id, "INSERT", "7")) == ["7"]

    @pytest.mark.parametrize("fails", [None, ConnectionError()])
    def test_has_ended_tokens_looked_at_and_resumes_their_waiters_in_any_case(
        self, world: NoticeWorld, fails: Exception | None
    ) -> None:
        token_id = world.create()
        waiter = world.wait(token_id)
        world.settle()
        world.notice_queue.fails = fails
        assert self.settle(world.streamed(token_id, "MODIFY", waiterCount={"N": "1"})) == ["1"] * bool(fails)
        assert world.notice_queue.sent == ([] if fails else [token_id])
        assert world.result(waiter) is not None

    def test_leaves_waiting_tokens_to_the_other_function(self, world: NoticeWorld) -> None:
        """With an event bus, its filter passes those that were answered."""
        assert self.settle(world.streamed(world.create(), "MODIFY", answerCount={"N": "1"})) == []
        assert world.notice_queue.sent == []


class TestAStackWithoutNotices:
    @pytest.fixture(autouse=True)
    def without(self, world: NoticeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("notice_filter", "notice_queue"):
            monkeypatch.delitem(vars(services), name)
        monkeypatch.delenv("NOTICE_QUEUE_URL", raising=False)

    def test_has_no_queue_and_looks_at_nothing(self, world: NoticeWorld) -> None:
        assert (services.notice_queue, services.notice_filter) == (None, None)
        token_id = world.create(timeout=60_000)
        for module in (schedule_timeouts, resume_waiters):
            assert failures(call(module, {"Records": [world.streamed(token_id, "INSERT")]})) == []
        assert world.notice_queue.sent == []
        assert [sent.token_id for sent in world.queue.sent] == [token_id]
