"""The record of what was sent, and functions that race for it."""

from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.notices import FakeChannel, FakeDeadLetters, use
from tests.support.in_process.moto_stack import MotoStack
from tests.support.races import race
from waitpoints import ids
from waitpoints.api.notices.dispatcher import CLAIMED_PAUSE, NoticeDispatcher
from waitpoints.api.notices.plan import ENDED, NoticeKind
from waitpoints.aws.items import NOTICES, attachment, is_endless_attachment, plain
from waitpoints.aws.notice_store import CLAIMED_FOR, NoticeStore
from waitpoints.errors import NotSentNow
from waitpoints.notices import NoticeRecord
from waitpoints.token import ALL_CHECKED, Completed, Document, DocumentKind, Output, Token
from waitpoints.wiring import services

START = services.now()  # not a date: the services compare it with the clock
PAGE = '{"title": "Go?", "approvers": ["ann@example.com", {"id": "bo", "slack": "U01BO"}]}'
NOTIFY = '{"email": true, "slack": "#deploys"}'
WITH_OUTCOME = '{"email": true, "slack": "#deploys", "outcome": true}'


@pytest.fixture
def store(stack: MotoStack) -> NoticeStore:
    return services.notice_store


def create(timeout_at: int | None = None, notify: str = NOTIFY) -> Token:
    token = Token(id=ids.new_id(START), created_at=START, timeout_at=timeout_at, has_notify=True)
    services.store.create(token, None, START, document=Document(DocumentKind.PAGE, PAGE, notify))
    return services.store.get(token.id)


def end(token: Token) -> None:
    services.store.complete(token.id, Completed(START, Output("{}")), ALL_CHECKED)


@pytest.fixture
def token(store: NoticeStore) -> Token:
    return create()


def notices(token: Token) -> dict[str, NoticeRecord]:
    return dict(services.store.get(token.id).notices)


class TestAClaim:
    """Invariant 7."""

    def test_keeps_others_away_until_it_is_freed(self, store: NoticeStore, token: Token) -> None:
        claim = store.claim(token, START)
        assert claim is not None
        assert store.claim(token, START + 1) is None
        store.free(token.id, claim)
        assert store.claim(token, START + 1) is not None

    def test_of_who_died_ends_and_is_freed_only_by_who_has_it(self, store: NoticeStore, token: Token) -> None:
        old = store.claim(token, START)
        assert old is not None
        assert store.claim(token, START + CLAIMED_FOR - 1) is None
        assert store.claim(token, START + CLAIMED_FOR)
        store.free(token.id, old)
        assert store.claim(token, START + CLAIMED_FOR + 1) is None

    def test_is_of_one_token(self, store: NoticeStore, token: Token) -> None:
        assert store.claim(token, START)
        assert store.claim(create(), START)

    @pytest.mark.usefixtures("without_metrics")
    def test_is_given_to_one_of_many_at_the_same_moment(self, store: NoticeStore, token: Token) -> None:
        claims = race([lambda: store.claim(token, START)] * 20)
        assert [claim is not None for claim in claims].count(True) == 1


class TestARecord:
    def test_has_what_each_place_has_got(self, store: NoticeStore, token: Token) -> None:
        mail = NoticeRecord(START, "m-1", reminded=2, notified_last=True, notified_outcome=True)
        slack = NoticeRecord(START, "C01/17.4", shows="0/0/0")
        store.claim(token, START)
        assert store.record(token.id, "email.0", mail)
        assert store.record(token.id, "slack", slack)
        assert notices(token) == {"email.0": mail, "slack": slack}
        store.record(token.id, "slack", replace(slack, shows="ended"))
        assert notices(token)["slack"].shows == "ended"

    def test_is_written_after_a_claim_has_ended_too(self, store: NoticeStore, token: Token) -> None:
        store.claim(token, START)
        store.claim(token, START + CLAIMED_FOR)
        assert store.record(token.id, "slack", NoticeRecord(START))
        assert store.claim(token, START + CLAIMED_FOR + 1) is None

    def test_that_is_gone_is_not_made_again(self, store: NoticeStore, token: Token) -> None:
        assert not store.record(token.id, "slack", NoticeRecord(START))
        assert notices(token) == {}

    def test_forgets_what_was_refused(self, store: NoticeStore, token: Token) -> None:
        sent, edited = NoticeRecord(START, "m-1"), NoticeRecord(START, "C01/17.4", shows="0/0/0", refused="no")
        store.claim(token, START)
        for target, notice in {"email.0": sent, "slack": edited, "teams": NoticeRecord(START, refused="no")}.items():
            store.record(token.id, target, notice)
        store.clear_refusals(services.store.get(token.id))
        assert notices(token) == {"email.0": sent, "slack": NoticeRecord(START, "C01/17.4")}
        store.clear_refusals(services.store.get(token.id))
        assert notices(token) == {"email.0": sent, "slack": NoticeRecord(START, "C01/17.4")}

    def test_forgets_that_of_a_person_who_gets_the_outcome(self, store: NoticeStore) -> None:
        token = create(notify=WITH_OUTCOME)
        store.claim(token, START)
        for target in ("slack", "email.0", "email.requester"):
            store.record(token.id, target, NoticeRecord(1, refused="no"))
        end(token)
        store.clear_refusals(services.store.get(token.id))
        assert notices(token) == {"slack": NoticeRecord(1, refused="no")}


@pytest.mark.parametrize("timeout_at", [None, START + 1000], ids=["none", "a second"])
def test_the_record_outlives_its_token_wherever_its_timeout_is_moved(
    store: NoticeStore, stack: MotoStack, timeout_at: int | None
) -> None:
    """It does not expire: the doctor deletes it after its token."""
    token = create(timeout_at)
    store.claim(token, START)
    [item] = [item for item in stack.items(token.id) if item["item"]["S"] == NOTICES]
    assert is_endless_attachment(item)
    found = attachment(plain(item))
    assert (found.token_id, found.since) == (token.id, START)


@pytest.mark.slow
@pytest.mark.usefixtures("without_metrics")
class TestFunctionsThatRace:
    RACERS = 8

    @pytest.fixture
    def dispatchers(self, stack: MotoStack, clock: FakeClock) -> list[NoticeDispatcher]:
        return [
            NoticeDispatcher(services.tokens, services.notice_store, FakeDeadLetters(), clock, lambda: True)
            for _ in range(self.RACERS)
        ]

    def test_one_of_them_asks_each_person(self, dispatchers: list[NoticeDispatcher], monkeypatch: pytest.MonkeyPatch) -> None:
        channel, pauses = FakeChannel(), []
        use(channel, monkeypatch)
        token = create()

        def send(dispatcher: NoticeDispatcher) -> bool:
            try:
                dispatcher.send(token.id)
            except NotSentNow as later:
                pauses.append(later.after)
                return False
            return True

        done = race([lambda dispatcher=dispatcher: send(dispatcher) for dispatcher in dispatchers])  # type: ignore[misc]
        assert any(done)
        assert set(pauses) <= {CLAIMED_PAUSE}
        assert sorted(channel.kinds()) == [(target, NoticeKind.FIRST) for target in ("email.0", "slack", "slack.1")]

    @pytest.mark.parametrize("count", [pytest.param(3, marks=pytest.mark.few), pytest.param(100, marks=pytest.mark.thorough)])
    def test_each_person_gets_one_outcome_when_it_races_with_notices_and_a_reminder(
        self, dispatchers: list[NoticeDispatcher], monkeypatch: pytest.MonkeyPatch, count: int
    ) -> None:
        def remind(token: Token) -> None:
            services.store.remind(token, replace(token, reminded_count=1, reminded_at=START))

        def send(dispatcher: NoticeDispatcher, token: Token) -> None:
            with suppress(NotSentNow):
                dispatcher.send(token.id)

        for _ in range(count):
            use(channel := FakeChannel(), monkeypatch)
            token = create(notify=WITH_OUTCOME)
            racers = [partial(end, token), partial(remind, token)]
            race([*racers, *(partial(send, dispatcher, token) for dispatcher in dispatchers[:3])])
            dispatchers[0].send(token.id)
            outcomes = sorted(target for target, kind in channel.kinds() if kind is NoticeKind.OUTCOME)
            assert outcomes == ["email.0", "slack.1"]
            assert set(channel.shown.values()) <= {ENDED, None}
