"""What people read: each state of a token, over each channel, in `golden/`. See `tests.support.golden` to write these files."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from tests.support import adaptive_card, golden, mails
from tests.support.slack import ANN, CREATED, FIELD, LINK, PAGE, PEOPLE, REQUIRED, answer, decided, notice
from waitpoints.api.notices import slack_message, teams
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.notices import Channel
from waitpoints.token import Completed, Failed, Output, TimedOut, TokenError
from waitpoints_local.slack_stand_in import problem

FOLDER = Path(__file__).parent / "golden"
SHORT = {"title": "Deploy?", "actions": PAGE["actions"]}
THREE = {**SHORT, "approvers": PEOPLE, "actions": [{**PAGE["actions"][0], "needs": 2}, PAGE["actions"][1]]}
TWO = {**THREE, "approvers": PEOPLE[:2], "requestedBy": "Kim"}
FIRST_DECIDES = {**TWO, "actions": [{"id": "ok", "label": "OK"}]}
ANSWERS = (answer("ann"), answer("bo"))
AMOUNT, FIRST_DAY = {"type": "number", "title": "Amount"}, {"type": "string", "format": "date", "title": "From"}
ENTERED = {"properties": {"amount": AMOUNT, "from": FIRST_DAY, "urgent": {"type": "boolean"}, **FIELD["properties"]}}
GIVEN = (
    replace(
        answer("bo"),
        fields='{"amount":1200.50,"from":"2026-12-01","urgent":false,"reason":"It is\\n*late* <!here>\\nAnn Lee: Approve it"}',
    ),
)
REMINDER, LAST, OUTCOME = (
    {"kind": kind, "ref": "C1/1.2"} for kind in (NoticeKind.REMINDER, NoticeKind.LAST, NoticeKind.OUTCOME)
)
SLACK, TEAMS, EMAIL = Channel.SLACK, Channel.TEAMS, Channel.EMAIL
STATES: dict[str, tuple[dict[str, Any], Iterable[Channel], dict[str, Any]]] = {
    "first": (PAGE, Channel, {}),
    "first without actions": ({"title": "Done?"}, [SLACK], {"timeout_at": None}),
    "first with optional fields": ({**SHORT, "confirm": True, "fields": FIELD}, [SLACK], {}),
    "reminder": (SHORT, Channel, REMINDER),
    "decided": (SHORT, [SLACK], {"outcome": decided(slack_user=ANN, slack_name="ada")}),
    "completed": (SHORT, [SLACK], {"outcome": Completed(CREATED, Output(None, "key"))}),
    "failed": (SHORT, [SLACK], {"outcome": Failed(CREATED, TokenError("no"))}),
    "timed out": (SHORT, [SLACK], {"outcome": TimedOut(CREATED)}),
    "approvers": (FIRST_DECIDES, [SLACK], {}),
    "approvers one answered": (THREE, [SLACK, TEAMS], {"answers": ANSWERS[:1]}),
    "approvers reminder": (THREE, [SLACK], {**REMINDER, "answers": ANSWERS[:1]}),
    "approvers decided": (THREE, [SLACK], {"answers": ANSWERS, "outcome": decided("bo")}),
    "approver": ({**TWO, "fields": REQUIRED}, [SLACK, EMAIL], {"person": "ann"}),
    "approver answered": (TWO, [SLACK], {"person": "ann", "answers": ANSWERS[:1]}),
    "approver last": (TWO, [SLACK, EMAIL], {"person": "ann", **LAST, "answers": ANSWERS[1:]}),
    "approver sees fields": ({**TWO, "fields": ENTERED}, [SLACK, EMAIL], {"person": "ann", "answers": GIVEN}),
    "approvers see no fields": ({**TWO, "fields": ENTERED}, [SLACK, TEAMS], {"answers": GIVEN}),
    "outcome": (
        {**THREE, "fields": ENTERED},
        [SLACK, EMAIL],
        {"person": "ann", **OUTCOME, "answers": (answer("ann", amount=7), *GIVEN), "outcome": decided("bo")},
    ),
    "outcome without fields": (
        {**TWO, "fields": ENTERED, "showAnswers": False},
        [SLACK, EMAIL],
        {"person": "ann", **OUTCOME, "answers": GIVEN, "outcome": decided("bo")},
    ),
    "outcome overridden": (THREE, [EMAIL], {"person": "ann", **OUTCOME, "outcome": decided()}),
    "outcome for who asked": (
        {**TWO, "fields": ENTERED},
        [SLACK, EMAIL],
        {"requester": True, "answers": GIVEN, "outcome": TimedOut(CREATED)},
    ),
    "outcome for anybody": (SHORT, [EMAIL], {**OUTCOME, "outcome": Failed(CREATED, TokenError("no"))}),
    "approver alone": ({"title": "Pay?", "approvers": PEOPLE[:1]}, [SLACK], {"person": "ann"}),
}
CASES = [(name, channel) for name, (_, channels, _) in STATES.items() for channel in channels]


def rendered(notice: Notice) -> str:
    match notice.target.channel:
        case Channel.EMAIL:
            mail = mails.mail(notice)
            return f"Subject: {mail['Subject']}\n\n{mails.body(mail, 'plain')}"
        case Channel.TEAMS:
            card = teams.card(notice, "Acme")
            adaptive_card.check(card)
            return lines(*card["body"], *card["actions"])
        case Channel.SLACK:
            message = slack_message.reply(notice) if notice.ref else slack_message.message(notice, "Acme", lambda: True)
            assert problem(message) is None
            assert len(Block.parse_all(message["blocks"])) == len(message["blocks"])
            return lines(message["text"], *message["blocks"])


def lines(*values: Any) -> str:
    return "".join(f"{json.dumps(value, ensure_ascii=False)}\n" for value in values)


@pytest.mark.parametrize(("name", "channel"), CASES)
def test_a_notice_says_what_it_said(name: str, channel: Channel) -> None:
    page, _, state = STATES[name]
    golden.check(FOLDER / channel / f"{name.replace(' ', '_')}.txt", rendered(notice(page, channel=channel, **state)))


@pytest.mark.parametrize("channel", Channel)
def test_it_says_it_in_the_language_of_its_reader(channel: Channel) -> None:
    """A direct message and a mail are one person's. Where many read, it is the first approver's language."""
    people = [{**PEOPLE[0], "language": "de"}, {**PEOPLE[1], "language": "fr"}]
    person = "ann" if channel is EMAIL else None
    asked = notice({**TWO, "approvers": people}, channel=channel, person=person, answers=ANSWERS[1:])
    golden.check(FOLDER / channel / "in_german.txt", rendered(asked))


@pytest.mark.parametrize("channel", Channel)
def test_it_has_the_texts_of_the_page_in_the_language_of_its_reader(channel: Channel) -> None:
    people = [{**PEOPLE[0], "language": "de"}, {**PEOPLE[1], "language": "fr"}]
    page = {**TWO, "approvers": people, "title": {"en": "Deploy?", "de": "Freigeben?"}, "language": ["en", "de"]}
    asked = rendered(notice(page, channel=channel, person="ann" if channel is EMAIL else None))
    assert ("Freigeben?" in asked, "Antwort erbeten bis" in asked, "Deploy?" in asked) == (True, True, False)
    asked = rendered(notice({**page, "language": "en", "title": "Deploy?"}, channel=channel, person="ann"))
    assert ("Deploy?" in asked, "Answer due by" in asked) == (True, True)
    if channel is not Channel.TEAMS:
        asked = rendered(notice(page, channel=channel, person="bo", link=LINK))
        assert ("Deploy?" in asked, "Answer due by" in asked) == (True, True)


def test_a_direct_message_is_in_its_readers_own_language() -> None:
    own, unknown = ([{**PEOPLE[0], "language": "de"}, {**PEOPLE[1], **more}] for more in ({"language": "fr"}, {}))
    for people, word in ((own, "Ouvrir et répondre"), (unknown, "Open and answer")):
        assert word in rendered(notice({**TWO, "approvers": people, "fields": REQUIRED}, person="bo", link=LINK))
