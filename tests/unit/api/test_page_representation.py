"""What retrieve shows of what was sent about a token."""

import json
from dataclasses import replace

from tools.openapi import answers
from waitpoints.api.representation import listed, retrieved
from waitpoints.notices import NoticeRecord
from waitpoints.token import TimedOut, Token, iso

CREATED = 1_800_000_000_005
WAITING = Token(id="waitpoint_0", created_at=CREATED)
URL = "https://hooks.example.com/callback"
TOLD = replace(
    WAITING,
    page=json.dumps(
        {
            "title": "Go?",
            "approvers": [
                {"id": "ann", "name": "Ann Lee", "email": "ann@example.com", "slack": "U024BE7LH"},
                "bo@example.com",
            ],
            "escalate": {"after": "1d", "to": ["cy@example.com"]},
        }
    ),
    has_notify=True,
    notify='{"email": true, "slack": "#deploys", "teams": "TEAMS_DEPLOYS"}',
)


def test_each_targets_notice_is_shown_in_the_order_in_which_they_are_sent() -> None:
    """Never how the channel names a message, nor a link."""
    sent = {
        "email.2": NoticeRecord(CREATED + 5, ref="010001", reminded=2),
        "email.1": NoticeRecord(CREATED + 4, refused="MessageRejected"),
        "slack.0": NoticeRecord(CREATED + 3, ref="D1/1.2", reminded=1, refused="account_inactive"),
        "email.0": NoticeRecord(CREATED + 2, ref="010000"),
        "teams": NoticeRecord(CREATED + 1),
        "slack": NoticeRecord(CREATED, ref="C1/1.1", shows="0/0/0", notified_last=True),
    }
    shown = retrieved(replace(TOLD, notices=sent, escalated_at=CREATED), URL)
    assert shown["notify"] == {"email": True, "slack": "#deploys", "teams": "TEAMS_DEPLOYS"}
    assert shown["notices"] == [
        {"channel": "slack", "to": "#deploys", "status": "sent", "at": iso(CREATED)},
        {"channel": "teams", "to": "TEAMS_DEPLOYS", "status": "sent", "at": iso(CREATED + 1)},
        {"channel": "email", "to": "ann@example.com", "approver": "ann", "status": "sent", "at": iso(CREATED + 2)},
        {
            "channel": "slack",
            "to": "U024BE7LH",
            "approver": "ann",
            "status": "refused",
            "at": iso(CREATED + 3),
            "reminders": 1,
            "reason": "account_inactive",
        },
        {
            "channel": "email",
            "to": "bo@example.com",
            "approver": "bo@example.com",
            "status": "refused",
            "at": iso(CREATED + 4),
            "reason": "MessageRejected",
        },
        {
            "channel": "email",
            "to": "cy@example.com",
            "approver": "cy@example.com",
            "status": "sent",
            "at": iso(CREATED + 5),
            "reminders": 2,
        },
    ]
    answers.Notify.model_validate(shown["notify"])
    assert [answers.Notice.model_validate(notice) for notice in shown["notices"]]


def test_who_asked_is_shown_once_they_got_the_outcome() -> None:
    page = {**json.loads(TOLD.page or ""), "requestedBy": "dee@example.com"}
    sent = {
        "email.0": NoticeRecord(CREATED, ref="010000", notified_outcome=True),
        "email.requester": NoticeRecord(CREATED, notified_outcome=True),
    }
    notify = '{"email": true, "slack": "#deploys", "outcome": true}'
    token = replace(TOLD, page=json.dumps(page), notify=notify, notices=sent, outcome=TimedOut(CREATED))
    shown = retrieved(token, URL)
    assert shown["notify"] == json.loads(notify)
    both = {"channel": "email", "status": "sent", "at": iso(CREATED), "outcome": True}
    assert shown["notices"] == [{**both, "to": "ann@example.com", "approver": "ann"}, {**both, "to": "dee@example.com"}]
    answers.Notify.model_validate(shown["notify"])
    assert [answers.Notice.model_validate(notice) for notice in shown["notices"]]


def test_an_address_that_is_nobodys_in_particular_is_shown_without_an_approver() -> None:
    notify = '{"email": ["ann@example.com", "bo@example.com"]}'
    token = replace(
        WAITING, page='{"title": "Go?"}', has_notify=True, notify=notify, notices={"email.1": NoticeRecord(CREATED)}
    )
    assert retrieved(token, URL)["notices"] == [
        {"channel": "email", "to": "bo@example.com", "status": "sent", "at": iso(CREATED)}
    ]


def test_a_list_shows_nobody_who_is_told() -> None:
    assert listed(TOLD, URL) == listed(WAITING, URL)
