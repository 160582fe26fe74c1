"""Look, send, record, look again: what is sent, once, to whom, and what of it comes again."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest

from tests.support.fakes.in_memory import RETENTION, InMemory
from tests.support.fakes.notices import FakeChannel, FakeDeadLetters, MemoryNoticeStore, MemoryTokens
from waitpoints import telemetry
from waitpoints.api.notices.dispatcher import CLAIMED_PAUSE, NoticeDispatcher
from waitpoints.api.notices.plan import ENDED, NoticeKind
from waitpoints.aws.notice_store import CLAIMED_FOR
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.ids import new_id
from waitpoints.notices import Channel, NoticeRecord
from waitpoints.token import ALL_CHECKED, Answer, Completed, Document, DocumentKind, NewToken, Output, Rules

PAGE: dict[str, Any] = {
    "title": "Go?",
    "approvers": ["ann@example.com", {"id": "bo", "slack": "U01BO"}],
    "actions": [{"id": "yes", "label": "Yes", "needs": 2}],
}
NOTIFY = {"email": True, "slack": "#deploys"}
ASKED = [("slack", NoticeKind.FIRST), ("email.0", NoticeKind.FIRST), ("slack.1", NoticeKind.FIRST)]
THROTTLED = NotSentNow("ratelimited", after=30)
DOWN = NotSentNow("internal_error")
REFUSED = NotSent("channel_not_found")


class World:
    """A domain in memory whose tokens have people who are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = MemoryTokens(RETENTION)
        self.domain = InMemory(self.store)
        self.clock = self.domain.clock
        self.record, self.channel, self.dead_letters = MemoryNoticeStore(self.store), FakeChannel(), FakeDeadLetters()
        self.has: set[Channel] = set(Channel)
        self.has_time: Callable[[], bool] = lambda: True
        self.dispatcher = NoticeDispatcher(
            self.domain.tokens,
            self.record,
            self.dead_letters,
            self.clock,
            lambda: self.has_time(),  # noqa: PLW0108 - tests replace it
        )
        monkeypatch.setattr("waitpoints.api.notices.channels.channel_of", self._channel_of)
        monkeypatch.setattr("waitpoints.api.notices.channels.link_of", lambda _: "link")

    def _channel_of(self, channel: Channel) -> FakeChannel:
        if channel not in self.has:
            raise NotSent(f"no {channel}")
        return self.channel

    def create(self, notify: dict[str, Any] | None = NOTIFY, timeout: int | None = None, page: dict[str, Any] = PAGE) -> str:
        text = None if notify is None else json.dumps(notify)
        document = Document(DocumentKind.PAGE, json.dumps(page), text)
        timeout_at = None if timeout is None else self.clock() + timeout
        new = NewToken(timeout_at=timeout_at, rules=Rules(has_approvers=True), document=document)
        return self.domain.tokens.create(new, self.clock()).token_id

    def send(self, token_id: str) -> None:
        self.dispatcher.send(token_id)

    def end(self, token_id: str) -> None:
        self.store.complete(token_id, Completed(self.clock(), Output("{}")), ALL_CHECKED)

    def answer(self, token_id: str, person: str) -> None:
        assert self.store.answer(self.store.get(token_id), Answer(person, "yes", "{}", self.clock()), None)[0]

    def remind(self, token_id: str) -> None:
        token = self.store.get(token_id)
        assert self.store.remind(token, replace(token, reminded_count=token.reminded_count + 1, reminded_at=self.clock()))

    def notices(self, token_id: str) -> dict[str, NoticeRecord]:
        return self.store.notices[token_id]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def pause(world: World, token_id: str) -> int | None:
    """After how many seconds the message wants to come again."""
    with pytest.raises(NotSentNow) as caught:
        world.send(token_id)
    return caught.value.after


class TestWhatIsSent:
    def test_is_one_message_for_each_target_and_its_record(self, world: World) -> None:
        token_id = world.create()
        world.send(token_id)
        assert world.channel.kinds() == ASKED
        assert {one.link for one in world.channel.sent} == {"link"}
        sent = {one.target: one.ref for one in world.channel.sent}
        assert {target: notice.ref for target, notice in world.notices(token_id).items()} == sent
        assert {notice.at for notice in world.notices(token_id).values()} == {world.clock()}
        assert not world.record.is_claimed(token_id)

    def test_is_sent_once_however_often_the_message_comes_and_that_costs_one_read(self, world: World) -> None:
        token_id = world.create()
        world.send(token_id)
        world.store.reads = 0
        world.record.fails["claim"] = [AssertionError("it writes")]
        for _ in range(3):
            world.send(token_id)
        assert (world.channel.kinds(), world.store.reads) == (ASKED, 3)

    @pytest.mark.parametrize("notify", [None, {}])
    def test_is_nothing_without_people(self, world: World, notify: dict[str, Any] | None) -> None:
        world.send(world.create(notify))
        world.send(new_id(world.clock()))
        world.send(world.domain.new_token())
        assert world.channel.sent == []

    def test_is_nothing_after_the_end(self, world: World) -> None:
        ended, due = world.create(), world.create(timeout=1000)
        world.end(ended)
        world.clock.advance(1000)
        world.send(ended)
        world.send(due)
        assert world.channel.sent == []

    def test_is_what_is_new_and_keeps_the_first_messages_name(self, world: World) -> None:
        token_id = world.create()
        world.send(token_id)
        first = {one.target: one.ref for one in world.channel.sent}
        world.channel.sent.clear()
        world.clock.advance(1000)
        world.remind(token_id)
        world.send(token_id)
        assert world.channel.kinds() == [(target, NoticeKind.REMINDER) for target, _ in ASKED]
        assert {target: notice.ref for target, notice in world.notices(token_id).items()} == first
        assert {(notice.reminded, notice.at) for notice in world.notices(token_id).values()} == {(1, world.clock())}


WITH_OUTCOME = {**NOTIFY, "outcome": True}
SENT_AT_THE_END = [("email.0", NoticeKind.OUTCOME), ("slack.1", NoticeKind.OUTCOME)]


class TestTheOutcome:
    def outcomes(self, world: World) -> list[tuple[str, NoticeKind]]:
        return [it for it in world.channel.kinds() if it[1] is NoticeKind.OUTCOME]

    def test_is_sent_once_to_each_person_and_recorded(self, world: World) -> None:
        token_id = world.create(WITH_OUTCOME)
        world.send(token_id)
        assert self.outcomes(world) == []
        first = {target: record.ref for target, record in world.notices(token_id).items()}
        world.end(token_id)
        for _ in range(3):
            world.send(token_id)
        assert self.outcomes(world) == SENT_AT_THE_END
        told = [target for target, record in world.notices(token_id).items() if record.notified_outcome]
        assert sorted(told) == ["email.0", "slack.1"]
        assert {target: record.ref for target, record in world.notices(token_id).items()} == first

    def test_of_a_timeout_is_sent_once_that_is_stored(self, world: World) -> None:
        token_id = world.create(WITH_OUTCOME, timeout=1000)
        world.clock.advance(1000)
        world.send(token_id)
        assert self.outcomes(world) == []
        world.store.time_out(token_id, world.clock())
        world.send(token_id)
        assert self.outcomes(world) == SENT_AT_THE_END

    @pytest.mark.parametrize("target", ["slack", "email.0", "slack.1"])
    def test_follows_a_first_message_that_is_sent_at_the_end(self, world: World, target: str) -> None:
        token_id = world.create(WITH_OUTCOME)
        world.channel.before = lambda notice: world.end(token_id) if notice.target.key == target else None
        world.send(token_id)
        assert self.outcomes(world) == SENT_AT_THE_END
        assert set(world.channel.shown.values()) - {None} == {ENDED}

    def test_comes_again_if_its_record_is_lost(self, world: World) -> None:
        token_id = world.create(WITH_OUTCOME)
        world.end(token_id)
        world.record.fails["record"] = [ConnectionError("lost")]
        with pytest.raises(ConnectionError):
            world.send(token_id)
        world.send(token_id)
        assert self.outcomes(world) == [SENT_AT_THE_END[0], *SENT_AT_THE_END]

    @pytest.mark.parametrize("is_asked", [True, False])
    def test_that_is_refused_is_sent_by_a_redrive(self, world: World, is_asked: bool) -> None:
        token_id = world.create(WITH_OUTCOME)
        if is_asked:
            world.send(token_id)
        world.end(token_id)
        world.channel.fails["email.0"] = [REFUSED, REFUSED]
        world.send(token_id)
        assert world.dead_letters.notices == [(token_id, "email.0", "channel_not_found")]
        assert world.dispatcher.send_again(token_id) == 1
        assert world.dispatcher.send_again(token_id) == 0
        assert sorted(self.outcomes(world)) == SENT_AT_THE_END
        assert world.notices(token_id)["email.0"].refused is None


class TestAnEndBetweenAReadAndAMessage:
    """The message is posted all the same, and then shows the end before anything else happens."""

    @pytest.mark.parametrize("target", ["slack", "slack.1"])
    def test_is_seen_at_once(self, world: World, target: str) -> None:
        token_id = world.create()
        world.channel.before = lambda request: world.end(token_id) if request.target.key == target else None
        world.send(token_id)
        posted = [it for it in world.channel.kinds() if it[1] is NoticeKind.FIRST]
        assert posted == ASKED[: len(posted)]
        assert posted[-1] == (target, NoticeKind.FIRST)
        assert set(world.channel.shown.values()) - {None} == {ENDED}

    def test_is_seen_after_an_edit_too(self, world: World) -> None:
        token_id = world.create()
        world.send(token_id)
        world.answer(token_id, "bo")
        world.channel.before = lambda request: world.end(token_id) if request.kind is NoticeKind.EDIT else None
        world.channel.sent.clear()
        world.send(token_id)
        assert world.channel.kinds() == [("slack", NoticeKind.EDIT), ("slack", NoticeKind.EDIT), ("slack.1", NoticeKind.EDIT)]
        assert set(world.channel.shown.values()) - {None} == {ENDED}


class TestARecordThatIsLost:
    def test_makes_the_step_come_again_and_no_other(self, world: World) -> None:
        token_id = world.create()
        world.record.fails["record"] = [ConnectionError("lost")]
        with pytest.raises(ConnectionError):
            world.send(token_id)
        assert world.channel.kinds() == ASKED[:1]
        world.send(token_id)
        assert world.channel.kinds() == [ASKED[0], *ASKED]

    def test_whose_item_is_gone_sends_no_second_message_at_once(self, world: World) -> None:
        token_id = world.create()
        world.channel.before = lambda request: world.record.remove(token_id) if request.target.key == "slack" else None
        assert pause(world, token_id) is None
        assert world.channel.kinds() == ASKED

    def test_whose_function_is_killed_leaves_a_claim_that_ends(self, world: World) -> None:
        token_id = world.create()
        world.record.fails = {"record": [ConnectionError("killed")], "free": [ConnectionError("killed")]}
        with pytest.raises(ConnectionError):
            world.send(token_id)
        assert pause(world, token_id) == CLAIMED_PAUSE
        world.clock.advance(CLAIMED_FOR)
        world.send(token_id)
        assert world.channel.kinds() == [ASKED[0], *ASKED]


class TestAClaim:
    def test_of_another_function_makes_the_message_come_again(self, world: World) -> None:
        token_id = world.create()
        claim = world.record.claim(world.store.get(token_id), world.clock())
        assert pause(world, token_id) == CLAIMED_PAUSE
        assert world.channel.sent == []
        assert claim is not None
        world.record.free(token_id, claim)
        world.send(token_id)
        assert world.channel.kinds() == ASKED

    def test_that_cannot_be_freed_hides_nothing(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        token_id, noted = world.create(), dict[str, Any]()
        monkeypatch.setattr(telemetry, "note", lambda **fields: noted.update(fields))
        world.record.fails["free"] = [ConnectionError("free")]
        world.send(token_id)  # all is sent
        assert (world.channel.kinds(), noted) == (ASKED, {"notFreed": "ConnectionError"})
        another = world.create()
        world.record.fails = {"free": [ConnectionError("free")]}
        world.channel.fails["slack"] = [THROTTLED]
        assert pause(world, another) == 30
        third = world.create()
        world.record.fails = {"free": [ConnectionError("free")], "record": [TimeoutError("record")]}
        with pytest.raises(TimeoutError):
            world.send(third)


class TestAChannelThatDoesNotTakeIt:
    @pytest.mark.parametrize("error", [DOWN, KeyError("a defect")])
    def test_now_keeps_no_other_target_waiting(self, world: World, error: Exception) -> None:
        token_id = world.create()
        world.channel.fails["slack"] = [error]
        assert pause(world, token_id) is None
        assert world.channel.kinds() == ASKED[1:]
        world.send(token_id)
        assert world.channel.kinds() == [*ASKED[1:], ASKED[0]]
        assert world.dead_letters.notices == []

    def test_is_waited_for_as_long_as_it_says(self, world: World) -> None:
        token_id = world.create()
        world.channel.fails = {"slack": [THROTTLED], "email.0": [DOWN], "slack.1": [NotSentNow("ratelimited", after=2)]}
        assert pause(world, token_id) == 30

    def test_whose_edit_fails_is_edited_when_it_comes_again(self, world: World) -> None:
        token_id = world.create()
        world.send(token_id)
        world.end(token_id)
        world.channel.fails["slack"] = [DOWN]
        assert pause(world, token_id) is None
        world.send(token_id)
        assert set(world.channel.shown.values()) - {None} == {ENDED}


class TestATargetThatRefuses:
    def test_is_a_dead_letter_and_in_the_record_and_the_others_are_notified(self, world: World) -> None:
        token_id = world.create()
        world.channel.fails["slack"] = [REFUSED]
        world.send(token_id)
        assert world.channel.kinds() == ASKED[1:]
        assert world.dead_letters.notices == [(token_id, "slack", "channel_not_found")]
        notice = world.notices(token_id)["slack"]
        assert (notice.ref, notice.refused, notice.at) == (None, "channel_not_found", world.clock())
        world.remind(token_id)
        world.send(token_id)
        assert len(world.dead_letters.notices) == 1

    def test_whose_letter_is_not_written_is_asked_again(self, world: World) -> None:
        token_id = world.create()
        world.channel.fails["slack"] = [REFUSED, REFUSED]
        world.dead_letters.fails = ConnectionError("SQS")
        with pytest.raises(ConnectionError):
            world.send(token_id)
        world.dead_letters.fails = None
        world.send(token_id)
        assert world.dead_letters.notices == [(token_id, "slack", "channel_not_found")]

    def test_is_a_channel_that_the_stack_no_longer_has(self, world: World) -> None:
        token_id = world.create()
        world.has = {Channel.EMAIL}
        world.send(token_id)
        assert world.channel.kinds() == [("email.0", NoticeKind.FIRST)]
        assert {target for _, target, _ in world.dead_letters.notices} == {"slack", "slack.1"}


class TestARedrive:
    def test_sends_what_was_refused_and_writes_no_letter(self, world: World) -> None:
        token_id = world.create()
        world.channel.fails = {"slack": [REFUSED, REFUSED], "email.0": [REFUSED]}
        world.send(token_id)
        letters = list(world.dead_letters.notices)
        assert world.dispatcher.send_again(token_id) == 1
        assert world.dead_letters.notices == letters
        assert world.notices(token_id)["slack"].refused == "channel_not_found"
        assert world.dispatcher.send_again(token_id) == 0
        assert sorted(world.channel.kinds()) == sorted(ASKED)

    def test_sends_a_reminder_that_was_refused(self, world: World) -> None:
        token_id = world.create()
        world.send(token_id)
        world.remind(token_id)
        world.channel.fails["email.0"] = [REFUSED]
        world.send(token_id)
        assert ("email.0", NoticeKind.REMINDER) not in world.channel.kinds()
        assert world.dispatcher.send_again(token_id) == 0
        assert world.channel.kinds().count(("email.0", NoticeKind.REMINDER)) == 1

    def test_edits_what_could_not_be_edited(self, world: World) -> None:
        token_id = world.create()
        world.send(token_id)
        world.end(token_id)
        world.channel.fails["slack"] = [REFUSED]
        world.send(token_id)
        assert world.dispatcher.send_again(token_id) == 0
        assert set(world.channel.shown.values()) - {None} == {ENDED}

    def test_after_the_end_asks_nobody_and_keeps_the_reason(self, world: World) -> None:
        token_id = world.create()
        world.channel.fails["email.0"] = [REFUSED]
        world.send(token_id)
        world.end(token_id)
        assert world.dispatcher.send_again(token_id) == 0
        assert ("email.0", NoticeKind.FIRST) not in world.channel.kinds()
        assert world.notices(token_id)["email.0"].refused == "channel_not_found"

    def test_says_what_is_left(self, world: World) -> None:
        token_id = world.create()
        world.channel.fails = {"slack": [DOWN], "email.0": [REFUSED]}
        assert world.dispatcher.send_again(token_id) == 2
        assert world.record.claim(world.store.get(token_id), world.clock())
        assert world.dispatcher.send_again(token_id) == 1
        assert world.dispatcher.send_again(new_id(world.clock())) == 0


def test_the_log_line_names_every_target_that_failed_or_refused_and_why(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a target has got something, nothing else says why it has not."""
    token_id, noted = world.create(), dict[str, Any]()
    monkeypatch.setattr(telemetry, "note", lambda **fields: noted.update(fields))
    world.channel.fails = {"slack": [DOWN], "email.0": [REFUSED], "slack.1": [THROTTLED]}
    with pytest.raises(NotSentNow):
        world.send(token_id)
    assert noted == {
        "failed": "slack, slack.1",
        "refused": "email.0",
        "reason": f"email.0: {REFUSED}; slack: {DOWN}; slack.1: {THROTTLED}",
    }


def test_what_the_time_does_not_suffice_for_comes_again_at_once(world: World) -> None:
    token_id, times = world.create(), chain([True, False], repeat(True))
    world.has_time = lambda: next(times)
    with pytest.raises(NotSentNow) as caught:
        world.send(token_id)
    assert caught.value.after == 0
    assert world.channel.kinds() == ASKED[:1]
    world.send(token_id)
    assert world.channel.kinds() == ASKED


class TestAnUnrecordedMessage:
    def test_shows_the_end_of_its_token_and_is_not_recorded(self, world: World) -> None:
        token_id = world.create()
        world.end(token_id)
        world.dispatcher.edit_unrecorded(token_id, "C01/17.4")
        [request] = world.channel.requests
        assert (request.kind, request.ref, request.target.to) == (NoticeKind.EDIT, "C01/17.4", "C01")
        assert (request.target.channel, request.token.outcome is not None) == (Channel.SLACK, True)
        assert world.store.notices == {}

    def test_is_left_alone_while_its_token_waits_or_once_it_is_gone(self, world: World) -> None:
        world.dispatcher.edit_unrecorded(world.create(), "C01/17.4")
        world.dispatcher.edit_unrecorded(new_id(world.clock()), "C01/17.4")
        assert world.channel.requests == []

    def test_comes_again_when_slack_says_so_and_not_if_it_cannot_be_edited(self, world: World) -> None:
        token_id = world.create()
        world.end(token_id)
        world.channel.fails["slack"] = [THROTTLED, REFUSED]
        with pytest.raises(NotSentNow) as caught:
            world.dispatcher.edit_unrecorded(token_id, "C01/17.4")
        assert caught.value.after == 30
        world.dispatcher.edit_unrecorded(token_id, "C01/17.4")
        assert world.dead_letters.notices == []


def test_each_target_gets_the_page_in_its_readers_language(world: World) -> None:
    people = [{"id": "ann", "email": "ann@example.com", "language": "de"}, {"id": "bo", "slack": "U01BO", "language": "fr"}]
    texts = {"language": ["en", "de"], "title": {"en": "Go?", "de": "Los?"}}
    token_id = world.create(page={**PAGE, **texts, "approvers": people})
    world.send(token_id)
    titles = {one.target.key: one.page.title for one in world.channel.requests}
    assert titles == {"slack": "Los?", "email.0": "Los?", "slack.1": "Go?"}
    world.end(token_id)
    world.dispatcher.edit_unrecorded(token_id, "C01/17.4")
    assert world.channel.requests[-1].page.title == "Los?"
