"""What the events of a waiting token say (docs/events.md)."""

import json
from dataclasses import replace
from typing import Any

import pytest

from waitpoints import ids
from waitpoints.stream.waiting_event import (
    ANSWERED,
    ESCALATED,
    HANDED_OVER,
    REMINDER,
    Change,
    all_answers,
    latest,
    waiting_event,
)
from waitpoints.token import Answer, Completed, CompletedBy, HandOver, Source, TimedOut, Token

CREATED, AT = 1_795_529_546_123, 1_795_529_551_007
TOKEN_ID = ids.new_id(CREATED)
PAGE = {"title": "Go?", "approvers": ["ann", "bo", "cy"], "escalate": {"after": "1d", "to": ["lead"]}, "remind": ["4h"]}
ANSWERS = (Answer("ann", "approve", '{"share":12345678901234567890123}', AT), Answer("cy", "reject", "{}", AT + 1))
SHARED = {
    "id": TOKEN_ID,
    "tags": ["a"],
    "idempotencyKey": "orders:1",
    "page": {"title": "Go?"},
    "createdAt": "2026-11-24T14:12:26.123Z",
}


def token(**more: Any) -> Token:
    return Token(
        id=TOKEN_ID,
        created_at=CREATED,
        tags=("a",),
        idempotency_key="orders:1",
        answers=ANSWERS,
        page_title="Go?",
        page=json.dumps(PAGE),
        **more,
    )


def test_an_answer_says_who_chose_what_digit_for_digit() -> None:
    event = waiting_event(token(), Change(ANSWERED, 1, AT))
    assert (event.type, event.at) == ("waitpoint.answered", AT)
    assert '"fields":{"share":12345678901234567890123}' in event.detail
    assert json.loads(event.detail) == {
        **SHARED,
        "eventId": f"{TOKEN_ID}/answered/1",
        "number": 1,
        "at": "2026-11-24T14:12:31.007Z",
        "answer": {
            "approver": "ann",
            "action": "approve",
            "fields": {"share": 12345678901234567890123},
            "at": "2026-11-24T14:12:31.007Z",
        },
    }


def test_an_answer_whose_fields_are_refused_says_so() -> None:
    said = json.loads(waiting_event(token(), Change(ANSWERED, 2, AT), with_output=False).detail)
    assert said["fieldsRefused"] is True
    assert said["answer"] == {"approver": "cy", "action": "reject", "at": "2026-11-24T14:12:31.008Z"}


def test_a_hand_over_says_who_came_and_went_and_with_which_key() -> None:
    away = HandOver(({"id": "di", "email": "di@example.com"},), ("bo",), AT, "ci")
    event = waiting_event(token(hand_overs=(away,)), Change(HANDED_OVER, 1, AT))
    assert (event.type, event.at) == ("waitpoint.handed_over", AT)
    assert json.loads(event.detail) == {
        **SHARED,
        "eventId": f"{TOKEN_ID}/handed_over/1",
        "number": 1,
        "at": "2026-11-24T14:12:31.007Z",
        "handOver": {"added": ["di"], "removed": ["bo"], "at": "2026-11-24T14:12:31.007Z", "key": "ci"},
    }


def test_a_reminder_says_who_has_not_answered() -> None:
    event = waiting_event(token(timeout_at=AT + 1), Change(REMINDER, 3, AT))
    assert event.type == "waitpoint.reminder"
    assert json.loads(event.detail) == {
        **SHARED,
        "eventId": f"{TOKEN_ID}/reminder/3",
        "number": 3,
        "timeoutAt": "2026-11-24T14:12:31.008Z",
        "at": "2026-11-24T14:12:31.007Z",
        "unanswered": ["bo"],
    }


def test_a_reminder_of_a_page_without_approvers_names_nobody() -> None:
    plain = replace(token(), page='{"title": "Go?", "remind": ["4h"]}', answers=())
    assert json.loads(waiting_event(plain, Change(REMINDER, 1, AT)).detail).keys().isdisjoint({"unanswered", "escalatedTo"})


def test_the_escalation_says_to_whom() -> None:
    event = waiting_event(token(escalated_at=AT), Change(ESCALATED, 1, AT))
    said = json.loads(event.detail)
    assert event.type == "waitpoint.escalated"
    assert (said["eventId"], said["escalatedTo"], said["unanswered"]) == (
        f"{TOKEN_ID}/escalated/1",
        ["lead"],
        ["bo", "lead"],
    )


def test_the_last_of_each_kind_has_a_number_of_its_own() -> None:
    twice = (HandOver((), ("x",), AT), HandOver((), ("y",), AT + 4))
    full = token(reminded_count=2, reminded_at=AT + 5, escalated_at=AT + 6, hand_overs=twice)
    assert latest(full) == [
        Change(ANSWERED, 2, AT + 1),
        Change(HANDED_OVER, 2, AT + 4),
        Change(REMINDER, 2, AT + 5),
        Change(ESCALATED, 1, AT + 6),
    ]
    assert len({it.id_of(full) for it in latest(full)}) == 4
    assert latest(replace(full, answers=(), hand_overs=(), reminded_count=0, reminded_at=None, escalated_at=None)) == []


@pytest.mark.parametrize(
    ("outcome", "numbers"),
    [
        (None, [1, 2]),
        (TimedOut(AT + 9), [1, 2]),
        (Completed(AT + 1, completed_by=CompletedBy(source=Source.CALLBACK, approver="cy")), [1]),
        (Completed(AT + 9, completed_by=CompletedBy(source=Source.COMPLETE)), [1, 2]),
    ],
)
def test_the_answer_that_ended_the_token_is_no_event_of_its_own(outcome: Any, numbers: list[int]) -> None:
    """The event of the settled token has it."""
    assert [it.number for it in all_answers(token(outcome=outcome))] == numbers
