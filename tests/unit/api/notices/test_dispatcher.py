"""Look, send, record, look again: what is sent, once, to whom, and what of it comes again."""

from collections.abc import Callable
from itertools import chain, repeat
from typing import Any

import pytest

from tests.support.notified import NOTIFY, PAGE, Notified
from waitpoints import telemetry
from waitpoints.api.notices.dispatcher import CLAIMED_PAUSE, NoticeDispatcher
from waitpoints.api.notices.plan import ENDED, NoticeKind
from waitpoints.aws.notice_store import CLAIMED_FOR
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.ids import new_id
from waitpoints.notices import Channel

ASKED = [("slack", NoticeKind.FIRST), ("email.0", NoticeKind.FIRST), ("slack.1", NoticeKind.FIRST)]
THROTTLED = NotSentNow("ratelimited", after=30)
DOWN = NotSentNow("internal_error")
REFUSED = NotSent("channel_not_found")


class NoticeWorld(Notified):
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.has_time: Callable[[], bool] = lambda: True
        self.dispatcher = NoticeDispatcher(
            self.tokens,
            self.record,
            self.dead_letters,
            self.clock,
            lambda: self.has_time(),  # noqa: PLW0108 - tests replace it
        )
        monkeypatch.setattr("waitpoints.api.notices.channels.link_of", lambda _: "link")

    def send(self) -> None:
        self.dispatcher.send(self.token_id)

    def send_again(self) -> int:
        return self.dispatcher.send_again(self.token_id)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> NoticeWorld:
    return NoticeWorld(monkeypatch)


def pause(world: NoticeWorld) -> int | None:
    """After how many seconds the message wants to come again."""
    with pytest.raises(NotSentNow) as caught:
        world.send()
    return caught.value.after


class TestWhatIsSent:
    def test_is_one_message_for_each_target_and_its_record(self, world: NoticeWorld) -> None:
        world.send()
        assert world.channel.kinds() == ASKED
        assert {one.link for one in world.channel.sent} == {"link"}
        sent = {one.target: one.ref for one in world.channel.sent}
        assert {target: notice.ref for target, notice in world.notices.items()} == sent
        assert {notice.at for notice in world.notices.values()} == {world.clock()}
        assert not world.record.is_claimed(world.token_id)

    def test_is_sent_once_however_often_the_message_comes_and_that_costs_one_read(self, world: NoticeWorld) -> None:
        world.send()
        world.store.reads = 0
        world.record.fails["claim"] = [AssertionError("it writes")]
        for _ in range(3):
            world.send()
        assert (world.channel.kinds(), world.store.reads) == (ASKED, 3)

    @pytest.mark.parametrize("notify", [None, {}])
    def test_is_nothing_without_people(self, world: NoticeWorld, notify: dict[str, Any] | None) -> None:
        for token_id in (world.create(notify=notify), new_id(world.clock()), world.created().token_id):
            world.dispatcher.send(token_id)
        assert world.channel.sent == []

    def test_is_nothing_after_the_end(self, world: NoticeWorld) -> None:
        world.settle()
        world.send()
        world.create(timeout=1000)
        world.advance(1000)
        world.send()
        assert world.channel.sent == []

    def test_is_what_is_new_and_keeps_the_first_messages_name(self, world: NoticeWorld) -> None:
        world.send()
        first = {one.target: one.ref for one in world.channel.sent}
        world.channel.sent.clear()
        world.advance(1000)
        world.remind()
        world.send()
        assert world.channel.kinds() == [(target, NoticeKind.REMINDER) for target, _ in ASKED]
        assert {target: notice.ref for target, notice in world.notices.items()} == first
        assert {(notice.reminded, notice.at) for notice in world.notices.values()} == {(1, world.clock())}


WITH_OUTCOME = {**NOTIFY, "outcome": True}
SENT_AT_THE_END = [("email.0", NoticeKind.OUTCOME), ("slack.1", NoticeKind.OUTCOME)]


class TestTheOutcome:
    def outcomes(self, world: NoticeWorld) -> list[tuple[str, NoticeKind]]:
        return [it for it in world.channel.kinds() if it[1] is NoticeKind.OUTCOME]

    def test_is_sent_once_to_each_person_and_recorded(self, world: NoticeWorld) -> None:
        world.create(notify=WITH_OUTCOME)
        world.send()
        assert self.outcomes(world) == []
        first = {target: record.ref for target, record in world.notices.items()}
        world.settle()
        for _ in range(3):
            world.send()
        assert self.outcomes(world) == SENT_AT_THE_END
        told = [target for target, record in world.notices.items() if record.notified_outcome]
        assert sorted(told) == ["email.0", "slack.1"]
        assert {target: record.ref for target, record in world.notices.items()} == first

    def test_of_a_timeout_is_sent_once_that_is_stored(self, world: NoticeWorld) -> None:
        world.create(notify=WITH_OUTCOME, timeout=1000)
        world.advance(1000)
        world.send()
        assert self.outcomes(world) == []
        world.store.time_out(world.token_id, world.clock())
        world.send()
        assert self.outcomes(world) == SENT_AT_THE_END

    @pytest.mark.parametrize("target", ["slack", "email.0", "slack.1"])
    def test_follows_a_first_message_that_is_sent_at_the_end(self, world: NoticeWorld, target: str) -> None:
        world.create(notify=WITH_OUTCOME)
        world.channel.before = lambda notice: world.settle() if notice.target.key == target else None
        world.send()
        assert self.outcomes(world) == SENT_AT_THE_END
        assert set(world.channel.shown.values()) - {None} == {ENDED}

    def test_comes_again_if_its_record_is_lost(self, world: NoticeWorld) -> None:
        world.create(notify=WITH_OUTCOME)
        world.settle()
        world.record.fails["record"] = [ConnectionError("lost")]
        with pytest.raises(ConnectionError):
            world.send()
        world.send()
        assert self.outcomes(world) == [SENT_AT_THE_END[0], *SENT_AT_THE_END]

    @pytest.mark.parametrize("is_asked", [True, False])
    def test_that_is_refused_is_sent_by_a_redrive(self, world: NoticeWorld, is_asked: bool) -> None:
        world.create(notify=WITH_OUTCOME)
        if is_asked:
            world.send()
        world.settle()
        world.channel.fails["email.0"] = [REFUSED, REFUSED]
        world.send()
        assert world.dead_letters.notices == [(world.token_id, "email.0", "channel_not_found")]
        assert world.send_again() == 1
        assert world.send_again() == 0
        assert sorted(self.outcomes(world)) == SENT_AT_THE_END
        assert world.notices["email.0"].refused is None


class TestAnEndBetweenAReadAndAMessage:
    """The message is posted all the same, and then shows the end before anything else happens."""

    @pytest.mark.parametrize("target", ["slack", "slack.1"])
    def test_is_seen_at_once(self, world: NoticeWorld, target: str) -> None:
        world.channel.before = lambda request: world.settle() if request.target.key == target else None
        world.send()
        posted = [it for it in world.channel.kinds() if it[1] is NoticeKind.FIRST]
        assert posted == ASKED[: len(posted)]
        assert posted[-1] == (target, NoticeKind.FIRST)
        assert set(world.channel.shown.values()) - {None} == {ENDED}

    def test_is_seen_after_an_edit_too(self, world: NoticeWorld) -> None:
        world.send()
        world.answer("bo")
        world.channel.before = lambda request: world.settle() if request.kind is NoticeKind.EDIT else None
        world.channel.sent.clear()
        world.send()
        assert world.channel.kinds() == [("slack", NoticeKind.EDIT), ("slack", NoticeKind.EDIT), ("slack.1", NoticeKind.EDIT)]
        assert set(world.channel.shown.values()) - {None} == {ENDED}


class TestARecordThatIsLost:
    def test_makes_the_step_come_again_and_no_other(self, world: NoticeWorld) -> None:
        world.record.fails["record"] = [ConnectionError("lost")]
        with pytest.raises(ConnectionError):
            world.send()
        assert world.channel.kinds() == ASKED[:1]
        world.send()
        assert world.channel.kinds() == [ASKED[0], *ASKED]

    def test_whose_item_is_gone_sends_no_second_message_at_once(self, world: NoticeWorld) -> None:
        world.channel.before = lambda request: world.record.remove(world.token_id) if request.target.key == "slack" else None
        assert pause(world) is None
        assert world.channel.kinds() == ASKED

    def test_whose_function_is_killed_leaves_a_claim_that_ends(self, world: NoticeWorld) -> None:
        world.record.fails = {"record": [ConnectionError("killed")], "free": [ConnectionError("killed")]}
        with pytest.raises(ConnectionError):
            world.send()
        assert pause(world) == CLAIMED_PAUSE
        world.advance(CLAIMED_FOR)
        world.send()
        assert world.channel.kinds() == [ASKED[0], *ASKED]


class TestAClaim:
    def test_of_another_function_makes_the_message_come_again(self, world: NoticeWorld) -> None:
        claim = world.record.claim(world.store.get(world.token_id), world.clock())
        assert pause(world) == CLAIMED_PAUSE
        assert world.channel.sent == []
        assert claim is not None
        world.record.free(world.token_id, claim)
        world.send()
        assert world.channel.kinds() == ASKED

    def test_that_cannot_be_freed_hides_nothing(self, world: NoticeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        noted = dict[str, Any]()
        monkeypatch.setattr(telemetry, "note", lambda **fields: noted.update(fields))
        world.record.fails["free"] = [ConnectionError("free")]
        world.send()  # all is sent
        assert (world.channel.kinds(), noted) == (ASKED, {"notFreed": "ConnectionError"})
        world.create()
        world.record.fails = {"free": [ConnectionError("free")]}
        world.channel.fails["slack"] = [THROTTLED]
        assert pause(world) == 30
        world.create()
        world.record.fails = {"free": [ConnectionError("free")], "record": [TimeoutError("record")]}
        with pytest.raises(TimeoutError):
            world.send()


class TestAChannelThatDoesNotTakeIt:
    @pytest.mark.parametrize("error", [DOWN, KeyError("a defect")])
    def test_now_keeps_no_other_target_waiting(self, world: NoticeWorld, error: Exception) -> None:
        world.channel.fails["slack"] = [error]
        assert pause(world) is None
        assert world.channel.kinds() == ASKED[1:]
        world.send()
        assert world.channel.kinds() == [*ASKED[1:], ASKED[0]]
        assert world.dead_letters.notices == []

    def test_is_waited_for_as_long_as_it_says(self, world: NoticeWorld) -> None:
        world.channel.fails = {"slack": [THROTTLED], "email.0": [DOWN], "slack.1": [NotSentNow("ratelimited", after=2)]}
        assert pause(world) == 30

    def test_whose_edit_fails_is_edited_when_it_comes_again(self, world: NoticeWorld) -> None:
        world.send()
        world.settle()
        world.channel.fails["slack"] = [DOWN]
        assert pause(world) is None
        world.send()
        assert set(world.channel.shown.values()) - {None} == {ENDED}


class TestATargetThatRefuses:
    def test_is_a_dead_letter_and_in_the_record_and_the_others_are_notified(self, world: NoticeWorld) -> None:
        world.channel.fails["slack"] = [REFUSED]
        world.send()
        assert world.channel.kinds() == ASKED[1:]
        assert world.dead_letters.notices == [(world.token_id, "slack", "channel_not_found")]
        notice = world.notices["slack"]
        assert (notice.ref, notice.refused, notice.at) == (None, "channel_not_found", world.clock())
        world.remind()
        world.send()
        assert len(world.dead_letters.notices) == 1

    def test_whose_letter_is_not_written_is_asked_again(self, world: NoticeWorld) -> None:
        world.channel.fails["slack"] = [REFUSED, REFUSED]
        world.dead_letters.fails = ConnectionError("SQS")
        with pytest.raises(ConnectionError):
            world.send()
        world.dead_letters.fails = None
        world.send()
        assert world.dead_letters.notices == [(world.token_id, "slack", "channel_not_found")]

    def test_is_a_channel_that_the_stack_no_longer_has(self, world: NoticeWorld) -> None:
        world.has = {Channel.EMAIL}
        world.send()
        assert world.channel.kinds() == [("email.0", NoticeKind.FIRST)]
        assert {target for _, target, _ in world.dead_letters.notices} == {"slack", "slack.1"}


class TestARedrive:
    def test_sends_what_was_refused_and_writes_no_letter(self, world: NoticeWorld) -> None:
        world.channel.fails = {"slack": [REFUSED, REFUSED], "email.0": [REFUSED]}
        world.send()
        letters = list(world.dead_letters.notices)
        assert world.send_again() == 1
        assert world.dead_letters.notices == letters
        assert world.notices["slack"].refused == "channel_not_found"
        assert world.send_again() == 0
        assert sorted(world.channel.kinds()) == sorted(ASKED)

    def test_sends_a_reminder_that_was_refused(self, world: NoticeWorld) -> None:
        world.send()
        world.remind()
        world.channel.fails["email.0"] = [REFUSED]
        world.send()
        assert ("email.0", NoticeKind.REMINDER) not in world.channel.kinds()
        assert world.send_again() == 0
        assert world.channel.kinds().count(("email.0", NoticeKind.REMINDER)) == 1

    def test_edits_what_could_not_be_edited(self, world: NoticeWorld) -> None:
        world.send()
        world.settle()
        world.channel.fails["slack"] = [REFUSED]
        world.send()
        assert world.send_again() == 0
        assert set(world.channel.shown.values()) - {None} == {ENDED}

    def test_after_the_end_asks_nobody_and_keeps_the_reason(self, world: NoticeWorld) -> None:
        world.channel.fails["email.0"] = [REFUSED]
        world.send()
        world.settle()
        assert world.send_again() == 0
        assert ("email.0", NoticeKind.FIRST) not in world.channel.kinds()
        assert world.notices["email.0"].refused == "channel_not_found"

    def test_says_what_is_left(self, world: NoticeWorld) -> None:
        world.channel.fails = {"slack": [DOWN], "email.0": [REFUSED]}
        assert world.send_again() == 2
        assert world.record.claim(world.store.get(world.token_id), world.clock())
        assert world.send_again() == 1
        assert world.dispatcher.send_again(new_id(world.clock())) == 0


def test_the_log_line_names_every_target_that_failed_or_refused_and_why(
    world: NoticeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a target has got something, nothing else says why it has not."""
    noted = dict[str, Any]()
    monkeypatch.setattr(telemetry, "note", lambda **fields: noted.update(fields))
    world.channel.fails = {"slack": [DOWN], "email.0": [REFUSED], "slack.1": [THROTTLED]}
    with pytest.raises(NotSentNow):
        world.send()
    assert noted == {
        "failed": "slack, slack.1",
        "refused": "email.0",
        "reason": f"email.0: {REFUSED}; slack: {DOWN}; slack.1: {THROTTLED}",
    }


def test_what_the_time_does_not_suffice_for_comes_again_at_once(world: NoticeWorld) -> None:
    times = chain([True, False], repeat(True))
    world.has_time = lambda: next(times)
    with pytest.raises(NotSentNow) as caught:
        world.send()
    assert caught.value.after == 0
    assert world.channel.kinds() == ASKED[:1]
    world.send()
    assert world.channel.kinds() == ASKED


class TestAnUnrecordedMessage:
    def test_shows_the_end_of_its_token_and_is_not_recorded(self, world: NoticeWorld) -> None:
        world.settle()
        world.dispatcher.edit_unrecorded(world.token_id, "C01/17.4")
        [request] = world.channel.requests
        assert (request.kind, request.ref, request.target.to) == (NoticeKind.EDIT, "C01/17.4", "C01")
        assert (request.target.channel, request.token.outcome is not None) == (Channel.SLACK, True)
        assert world.notices == {}

    def test_is_left_alone_while_its_token_waits_or_once_it_is_gone(self, world: NoticeWorld) -> None:
        world.dispatcher.edit_unrecorded(world.create(), "C01/17.4")
        world.dispatcher.edit_unrecorded(new_id(world.clock()), "C01/17.4")
        assert world.channel.requests == []

    def test_comes_again_when_slack_says_so_and_not_if_it_cannot_be_edited(self, world: NoticeWorld) -> None:
        world.settle()
        world.channel.fails["slack"] = [THROTTLED, REFUSED]
        with pytest.raises(NotSentNow) as caught:
            world.dispatcher.edit_unrecorded(world.token_id, "C01/17.4")
        assert caught.value.after == 30
        world.dispatcher.edit_unrecorded(world.token_id, "C01/17.4")
        assert world.dead_letters.notices == []


def test_each_target_gets_the_page_in_its_readers_language(world: NoticeWorld) -> None:
    people = [{"id": "ann", "email": "ann@example.com", "language": "de"}, {"id": "bo", "slack": "U01BO", "language": "fr"}]
    texts = {"language": ["en", "de"], "title": {"en": "Go?", "de": "Los?"}}
    world.create(page={**PAGE, **texts, "approvers": people})
    world.send()
    titles = {one.target.key: one.page.title for one in world.channel.requests}
    assert titles == {"slack": "Los?", "email.0": "Los?", "slack.1": "Go?"}
    world.settle()
    world.dispatcher.edit_unrecorded(world.token_id, "C01/17.4")
    assert world.channel.requests[-1].page.title == "Los?"
