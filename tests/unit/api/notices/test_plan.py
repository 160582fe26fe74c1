"""Which step comes next: for each state of a token and each target, and for any history."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints.api.notices.plan import ENDED, REMOVED, Notice, NoticeKind, next_notice, state_of, targets
from waitpoints.api.page.definition import Page, of_text
from waitpoints.api.page.page_checks import parse
from waitpoints.notices import Channel, NoticeRecord, Notify
from waitpoints.token import Answer, Completed, Failed, HandOver, Output, TimedOut, Token, TokenError

ANN = {"id": "ann", "email": "ann@example.com", "slack": "U01ANN"}
PEOPLE = of_text(
    parse(
        {
            "title": "Go?",
            "requestedBy": "dee@example.com",
            "approvers": [ANN, {"id": "bo", "email": "bo@example.com"}, {"id": "cy", "slack": "U01CY"}],
            "actions": [{"id": "yes", "label": "Yes", "needs": 2}, {"id": "no", "label": "No"}],
            "escalate": {"after": "1d", "to": [{"id": "lea", "email": "lea@example.com"}]},
        }
    )[1],
)
ANYBODY = parse({"title": "Go?"})[0]
EVERYWHERE = Notify(email=True, slack="#deploys", teams="TEAMS")
ADDRESSES = Notify(email=("x@example.com", "y@example.com"), slack="#deploys")
WITH_OUTCOME = replace(EVERYWHERE, outcome=True)

NEW = Token(id="waitpoint_1", created_at=0, timeout_at=1000)
BO = Answer("bo", "yes", "{}", 1)
ANSWERED = replace(NEW, answers=(BO,))
REMINDED = replace(NEW, reminded_count=1)
ESCALATED = replace(NEW, escalated_at=1)
MOVED = replace(NEW, timeout_at=2000)
COMPLETED = replace(NEW, outcome=Completed(2, Output("{}")))
ENDS = [COMPLETED, replace(NEW, outcome=Failed(2, TokenError("No"))), replace(NEW, outcome=TimedOut(2))]


def take(token: Token, step: Notice, refused: str | None = None) -> Token:
    """The token once a step is recorded."""
    ref = f"{step.target.key}/1" if step.kind is NoticeKind.FIRST else step.ref
    return replace(token, notices={**token.notices, step.target.key: replace(step.done, ref=ref, at=1, refused=refused)})


def drain(token: Token, page: Page = PEOPLE, notify: Notify = EVERYWHERE) -> tuple[list[Notice], Token]:
    """Take every step. Returns them, and the token then."""
    steps: list[Notice] = []
    while step := next_notice(token, page, notify):
        steps.append(step)
        token = take(token, step)
        assert len(steps) < 100, "it never ends"
    return steps, token


def kinds(steps: Sequence[Notice]) -> dict[str, list[NoticeKind]]:
    """What each target gets, in order."""
    found: dict[str, list[NoticeKind]] = {}
    for step in steps:
        found.setdefault(step.target.key, []).append(step.kind)
    return found


def asked(token: Token = NEW) -> Mapping[str, NoticeRecord]:
    """What is recorded once everybody was asked."""
    return drain(token)[1].notices


class TestTheTargets:
    def test_of_a_page_with_approvers_are_channels_and_each_way_to_each_person(self) -> None:
        found = {it.key: (it.channel, it.to, it.person and it.person.id) for it in targets(NEW, PEOPLE, EVERYWHERE)}
        assert found == {
            "slack": (Channel.SLACK, "#deploys", None),
            "teams": (Channel.TEAMS, "TEAMS", None),
            "email.0": (Channel.EMAIL, "ann@example.com", "ann"),
            "email.1": (Channel.EMAIL, "bo@example.com", "bo"),
            "slack.0": (Channel.SLACK, "U01ANN", "ann"),
            "slack.2": (Channel.SLACK, "U01CY", "cy"),
        }

    def test_of_those_who_are_asked_later_come_with_the_escalation_and_change_no_other(self) -> None:
        before, after = ([target.key for target in targets(token, PEOPLE, EVERYWHERE)] for token in (NEW, ESCALATED))
        assert after == [*before, "email.3"]

    def test_of_a_page_for_anybody_are_channels_and_addresses(self) -> None:
        assert [(target.key, target.to, target.person) for target in targets(NEW, ANYBODY, ADDRESSES)] == [
            ("slack", "#deploys", None),
            ("email.0", "x@example.com", None),
            ("email.1", "y@example.com", None),
        ]

    def test_without_a_channel_are_none(self) -> None:
        assert list(targets(ESCALATED, PEOPLE, Notify())) == []
        assert {target.channel for target in targets(NEW, PEOPLE, Notify(slack="#deploys"))} == {Channel.SLACK}


class TestAHandOver:
    AWAY = HandOver(({"id": "di", "email": "di@example.com", "slack": "U01DI"},), ("ann",), 1)
    TOKEN = replace(NEW, hand_overs=(AWAY,))
    PAGE = replace(PEOPLE, approval=PEOPLE.approval and PEOPLE.approval.after(AWAY))

    def test_gives_who_was_added_targets_of_their_own_and_keeps_those_of_the_others(self) -> None:
        before = [target.key for target in targets(NEW, PEOPLE, EVERYWHERE)]
        assert [target.key for target in targets(self.TOKEN, self.PAGE, EVERYWHERE)] == [*before, "email.4", "slack.4"]

    def test_notifies_who_was_added_and_tells_who_was_removed_by_the_message_they_have(self) -> None:
        told = replace(self.TOKEN, notices=asked())
        steps, told = drain(told, self.PAGE)
        assert kinds(steps) == {
            "slack": [NoticeKind.EDIT],
            "slack.0": [NoticeKind.EDIT],
            "slack.2": [NoticeKind.EDIT],
            "email.4": [NoticeKind.FIRST],
            "slack.4": [NoticeKind.FIRST],
        }
        assert told.notices["slack.0"].shows == REMOVED
        reminded, _ = drain(replace(told, reminded_count=1), self.PAGE)
        assert {"email.0", "slack.0"}.isdisjoint(kinds(reminded))
        ended, _ = drain(replace(told, outcome=COMPLETED.outcome), self.PAGE)
        assert kinds(ended).keys() == {"slack", "slack.2", "slack.4"}

    def test_sends_the_outcome_to_who_was_added_and_not_to_who_was_removed(self) -> None:
        ended = replace(self.TOKEN, outcome=COMPLETED.outcome)
        steps, _ = drain(ended, self.PAGE, Notify(email=True, outcome=True))
        assert {"email.1", "email.4"} <= kinds(steps).keys()
        assert "email.0" not in kinds(steps)

    def test_notifies_nobody_who_was_removed_before(self) -> None:
        assert {"email.0", "slack.0"}.isdisjoint(kinds(drain(self.TOKEN, self.PAGE)[0]))


ASK, REMIND, LAST, EDIT, OUTCOME = ([getattr(NoticeKind, it)] for it in ("FIRST", "REMINDER", "LAST", "EDIT", "OUTCOME"))
FIRST = {"slack": ASK, "teams": ASK, "email.0": ASK, "email.1": ASK, "slack.0": ASK, "slack.2": ASK}
OTHERS_LEFT = {"slack": EDIT, "slack.0": EDIT + LAST, "slack.2": EDIT + LAST, "email.0": LAST}


@pytest.mark.parametrize(
    ("token", "before", "expected"),
    [
        pytest.param(NEW, {}, FIRST, id="new"),
        pytest.param(NEW, asked(), {}, id="asked"),
        pytest.param(ANSWERED, {}, {target: ASK for target in FIRST if target != "email.1"}, id="one answers first"),
        pytest.param(ANSWERED, asked(), OTHERS_LEFT, id="one answers"),
        pytest.param(ANSWERED, asked(ANSWERED), {}, id="one had answered"),
        pytest.param(REMINDED, asked(), dict.fromkeys(FIRST, REMIND), id="reminded"),
        pytest.param(REMINDED, {}, FIRST, id="reminded before it was asked"),
        pytest.param(replace(NEW, reminded_count=3), asked(REMINDED), dict.fromkeys(FIRST, REMIND), id="two reminders at once"),
        pytest.param(
            replace(ANSWERED, reminded_count=1),
            asked(),
            {"slack": EDIT + REMIND, "slack.0": EDIT + REMIND, "slack.2": EDIT + REMIND, "teams": REMIND, "email.0": REMIND},
            id="reminded of the last answer",
        ),
        pytest.param(ESCALATED, asked(), {"slack": EDIT, "slack.0": EDIT, "slack.2": EDIT, "email.3": ASK}, id="escalated"),
        pytest.param(MOVED, asked(), {"slack": EDIT, "slack.0": EDIT, "slack.2": EDIT}, id="moved"),
        *(pytest.param(end, {}, {}, id=f"{type(end.outcome).__name__} before it was asked") for end in ENDS),
        *(
            pytest.param(end, asked(), {"slack": EDIT, "slack.0": EDIT, "slack.2": EDIT}, id=type(end.outcome).__name__)
            for end in ENDS
        ),
        pytest.param(
            replace(COMPLETED, answers=(BO,), reminded_count=1, escalated_at=1),
            asked(),
            {"slack": EDIT, "slack.0": EDIT, "slack.2": EDIT},
            id="ended after all of it",
        ),
    ],
)
def test_each_target_gets_what_it_lacks(
    token: Token, before: Mapping[str, NoticeRecord], expected: dict[str, list[NoticeKind]]
) -> None:
    steps, then = drain(replace(token, notices=before))
    assert kinds(steps) == expected
    assert next_notice(then, PEOPLE, EVERYWHERE) is None


def test_what_is_wrong_is_mended_before_anybody_is_asked() -> None:
    steps, _ = drain(replace(ESCALATED, notices=asked()))
    assert [step.kind for step in steps] == [*EDIT * 3, *ASK]


def test_who_has_answered_gets_nothing_more_but_their_message_shows_how_it_stands() -> None:
    ann = Answer("ann", "yes", "{}", 1)
    steps, _ = drain(replace(REMINDED, answers=(ann,), notices=asked()))
    assert {target: found for target, found in kinds(steps).items() if target.endswith(".0")} == {"slack.0": EDIT}


def test_no_one_is_notified_of_one_more_answer_when_one_is_enough() -> None:
    page = parse({"title": "Go?", "approvers": ["ann@example.com", "bo@example.com"]})[0]
    steps, _ = drain(replace(NEW, answers=(Answer("x", "submit", "{}", 1),), notices=drain(NEW, page)[1].notices), page)
    assert NoticeKind.LAST not in {step.kind for step in steps}


def test_a_notice_names_the_first_message_of_its_target() -> None:
    steps, _ = drain(replace(REMINDED, answers=(BO,), notices=asked()))
    assert {step.ref for step in steps} == {f"{step.target.key}/1" for step in steps}
    assert {step.ref for step in drain(NEW)[0]} == {None}


def test_a_target_that_fails_is_left_out() -> None:
    step = next_notice(NEW, PEOPLE, EVERYWHERE, skip={"slack", "teams"})
    assert step is not None
    assert step.target.key == "email.0"


class TestATargetThatRefuses:
    def test_gets_nothing_more(self) -> None:
        token = replace(NEW, notices={**asked(), "email.0": NoticeRecord(1, refused="MessageRejected")})
        for later in (token, replace(token, reminded_count=2), replace(token, answers=(BO,))):
            assert "email.0" not in kinds(drain(later)[0])

    def test_has_its_message_edited_once_more_at_the_end(self) -> None:
        refused = replace(asked()["slack"], refused="channel_not_found")
        answered = replace(ANSWERED, notices={**asked(), "slack": refused})
        assert "slack" not in kinds(drain(answered)[0])
        ended = replace(COMPLETED, notices={"slack": refused})
        [step], then = drain(ended)
        assert (step.kind, then.notices["slack"].refused) == (NoticeKind.EDIT, None)
        still = take(ended, step, refused="channel_not_found")
        assert next_notice(still, PEOPLE, EVERYWHERE) is None


EDITED = {"slack": EDIT, "slack.0": EDIT + OUTCOME, "slack.2": EDIT + OUTCOME}
MAILED = dict.fromkeys(("email.0", "email.1", "email.requester"), OUTCOME)


class TestTheOutcome:
    """Each person gets it once. A channel does not: its message shows the end."""

    @pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end.outcome).__name__)
    def test_follows_the_first_message_however_it_ends(self, end: Token) -> None:
        steps, then = drain(replace(end, answers=(BO,), notices=asked()), notify=WITH_OUTCOME)
        assert kinds(steps) == {**EDITED, **MAILED}
        refs = {step.target.key: step.ref for step in steps if step.kind is NoticeKind.OUTCOME}
        assert refs == {key: None if key == "email.requester" else f"{key}/1" for key in refs}
        assert next_notice(then, PEOPLE, WITH_OUTCOME) is None

    def test_is_the_first_message_of_who_was_not_asked_in_time(self) -> None:
        steps, then = drain(COMPLETED, notify=WITH_OUTCOME)
        assert kinds(steps) == {**MAILED, "slack.0": OUTCOME, "slack.2": OUTCOME}
        assert {record.ref for record in then.notices.values()} == {None}

    def test_also_goes_to_who_may_answer_since_the_escalation(self) -> None:
        assert "email.3" in kinds(drain(replace(COMPLETED, escalated_at=1), notify=WITH_OUTCOME)[0])

    @pytest.mark.parametrize("requested_by", ["dee@example.com", "bo@example.com"])
    def test_goes_to_who_was_added_and_not_to_who_was_removed_unless_they_asked(self, requested_by: str) -> None:
        removal = HandOver(({"id": "di", "email": "di@example.com"},), ("bo@example.com",), 1)
        page = {"title": "Go?", "approvers": ["ann@example.com", "bo@example.com"], "selfApproval": True}
        loaded = of_text(parse({**page, "requestedBy": requested_by})[1], hand_overs=(removal,))
        steps, _ = drain(replace(COMPLETED, hand_overs=(removal,)), loaded, WITH_OUTCOME)
        assert [step.target.to for step in steps] == ["ann@example.com", "di@example.com", requested_by]

    def test_waits_until_a_timeout_is_stored(self) -> None:
        """A message that is edited can be mended. A mail cannot."""
        due = replace(NEW, outcome=TimedOut(1000), is_due=True, notices=asked())
        assert kinds(drain(due, notify=WITH_OUTCOME)[0]) == {"slack": EDIT, "slack.0": EDIT, "slack.2": EDIT}

    def test_is_sent_to_the_addresses_of_a_page_for_anybody(self) -> None:
        steps, _ = drain(COMPLETED, ANYBODY, replace(ADDRESSES, outcome=True))
        assert kinds(steps) == {"email.0": OUTCOME, "email.1": OUTCOME}

    def test_is_not_sent_to_a_target_that_refuses(self) -> None:
        refused = {"email.0": NoticeRecord(1, "m-1", refused="MessageRejected"), "email.1": NoticeRecord(1, refused="x")}
        assert {"email.0", "email.1"}.isdisjoint(kinds(drain(replace(COMPLETED, notices=refused), notify=WITH_OUTCOME)[0]))

    @pytest.mark.parametrize(
        ("requested_by", "expected"),
        [
            ("dee", {}),
            ("dee@example.com", {"email.requester": "dee@example.com"}),
            ("U01DEE", {"slack.requester": "U01DEE"}),
            ("ANN@example.com", {}),  # is asked
            ("LEA", {"email.requester": "lea@example.com", "slack.requester": "U01LEA"}),  # would have been asked later
        ],
    )
    def test_goes_to_who_asked_wherever_they_can_be_reached(self, requested_by: str, expected: dict[str, str]) -> None:
        lea = {"id": "lea", "email": "lea@example.com", "slack": "U01LEA"}
        people = {"approvers": [ANN], "escalate": {"after": "1d", "to": [lea]}, "selfApproval": True}
        page = of_text(parse({"title": "Go?", **people, "requestedBy": requested_by})[1])
        found = {it.key: it.to for it in targets(COMPLETED, page, WITH_OUTCOME) if it.key.endswith("requester")}
        assert found == expected
        assert not [it for it in targets(NEW, page, WITH_OUTCOME) if it.key.endswith("requester")]

    def test_is_all_that_who_asks_gets_who_was_named_among_the_approvers(self) -> None:
        people = {"approvers": [{"id": "bo", "email": "bo@example.com"}, ANN], "requestedBy": "ann@example.com"}
        page = of_text(parse({"title": "Go?", **people})[1])
        reminded = replace(COMPLETED, outcome=None, reminded_count=1)
        assert {step.target.to for step in drain(reminded, page, WITH_OUTCOME)[0]} == {"bo@example.com", "#deploys", "TEAMS"}
        steps, _ = drain(COMPLETED, page, WITH_OUTCOME)
        assert {step.target.key: step.target.to for step in steps} == {
            "email.0": "bo@example.com",
            "email.requester": "ann@example.com",
        }

    @pytest.mark.parametrize(
        ("email", "expected"),
        [
            (True, {"email.requester": OUTCOME}),
            (("x@example.com",), {"email.0": OUTCOME, "email.requester": OUTCOME}),
            (("x@example.com", "Dee@example.com"), {"email.0": OUTCOME, "email.1": OUTCOME}),
            (False, {}),
        ],
        ids=str,
    )
    def test_goes_once_to_who_asked_people_of_a_domain(self, email: Any, expected: dict[str, Any]) -> None:
        asked = {"title": "Go?", "requestedBy": "dee@example.com", "signIn": {"domains": ["example.com"]}}
        page = parse(asked, ("https://issuer.example.com", "client"))[0]
        assert kinds(drain(COMPLETED, page, Notify(email=email, outcome=True))[0]) == expected


def test_a_state_is_what_a_message_shows() -> None:
    assert len({state_of(token) for token in (NEW, ANSWERED, ESCALATED, MOVED, COMPLETED, replace(NEW, timeout_at=None))}) == 6
    assert {state_of(end) for end in ENDS} == {ENDED}
    assert state_of(REMINDED) == state_of(NEW)


HAPPENS = ["ann", "bo", "cy", "lea", "remind", "escalate", "move", "end", "step", "step", "step", "lost", "refused"]


def change(token: Token, what: str) -> Token:
    """What happens to a token. An answer that decides ends it."""
    if token.outcome is not None:
        return token
    match what:
        case "remind":
            return replace(token, reminded_count=token.reminded_count + 1)
        case "escalate":
            return replace(token, escalated_at=1)
        case "move":
            return replace(token, timeout_at=(token.timeout_at or 0) + 1)
        case "end":
            return replace(token, outcome=Completed(2, Output("{}")))
    if token.answer_of(what) or (what == "lea" and token.escalated_at is None):
        return token
    token = replace(token, answers=(*token.answers, Answer(what, "yes", "{}", 1)))
    return change(token, "end") if len(token.answers) == 2 else token


@given(st.lists(st.sampled_from(HAPPENS), max_size=40), st.sampled_from([EVERYWHERE, WITH_OUTCOME]))
def test_any_history_asks_each_person_first_and_only_edits_and_says_how_it_ended_after_the_end(
    history: list[str], notify: Notify
) -> None:
    token, sent = NEW, list[tuple[Notice, bool]]()

    def do(step: Notice | None, what: str = "step") -> None:
        nonlocal token
        if step is None:
            return
        sent.append((step, token.outcome is not None))
        if what != "lost":
            token = take(token, step, "refused" if what == "refused" else None)

    for what in history:
        if what in ("step", "lost", "refused"):
            do(next_notice(token, PEOPLE, notify), what)
        else:
            token = change(token, what)
    for _ in range(100):
        do(next_notice(token, PEOPLE, notify))
    assert next_notice(token, PEOPLE, notify) is None, "it never ends"
    assert {step.kind for step, is_after in sent if is_after} <= {NoticeKind.EDIT, NoticeKind.OUTCOME}
    for key, its in kinds([step for step, _ in sent]).items():
        assert its[0] in (NoticeKind.FIRST, NoticeKind.OUTCOME)
        assert its.count(NoticeKind.FIRST) == 1 or "lost" in history or set(its) == {NoticeKind.OUTCOME}
        assert its.count(NoticeKind.LAST) <= 1 or "lost" in history, key
        assert its.count(NoticeKind.OUTCOME) <= 1 or "lost" in history, key
        assert notify.outcome or NoticeKind.OUTCOME not in its
    for target in targets(token, PEOPLE, notify):
        record = token.notices.get(target.key)
        if token.outcome is None:
            assert record or (target.person and token.answer_of(target.person.id))
        elif notify.sends_outcome_to(target.key):
            assert record
            assert record.notified_outcome or record.refused
    for target in targets(token, PEOPLE, notify):
        notice = token.notices.get(target.key)
        if target.is_edited and notice and notice.ref and not (notice.refused and token.outcome is None):
            assert notice.shows == state_of(token)
