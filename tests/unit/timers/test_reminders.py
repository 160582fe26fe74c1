"""When a waiting token is asked again, from its page and from what was done."""

import json
from dataclasses import replace
from typing import Any

import pytest

from waitpoints.ids import new_id
from waitpoints.timers.reminders import MOST_EVERY, Plan, escalation_at, next_due_at, next_reminder, plan_of, remind
from waitpoints.token import Token

START = 1_795_529_546_123
HOUR = 3_600_000
DAY = 24 * HOUR
ESCALATE = {"after": "1d", "to": ["lead", {"id": "boss", "name": "The boss"}]}


def waiting(page: dict[str, Any], timeout: int | None = None, **more: Any) -> Token:
    """A token that was read with its page, and was created at START."""
    timeout_at = None if timeout is None else START + timeout
    return Token(id=new_id(START), created_at=START, timeout_at=timeout_at, page=json.dumps({"title": "Go?", **page}), **more)


def all_asks(token: Token, until: int) -> list[tuple[int, int, bool]]:
    """Look at a token in time, each time. Returns when it was asked again: after how long, how often, and if escalated."""
    asked = []
    while (now := next_due_at(token)) is not None and now <= until and now != token.timeout_at:
        following = remind(token, now)
        assert following is not None
        token = following
        asked.append((now - START, token.reminded_count, token.escalated_at is not None))
    return asked


def test_a_plan_is_in_milliseconds_from_the_create() -> None:
    assert plan_of({"remind": ["4h", "1d12h"], "escalate": ESCALATE}) == Plan((4 * HOUR, 36 * HOUR), DAY)
    assert plan_of({"remind": "every 2h"}).reminders == tuple(2 * HOUR * number for number in range(1, MOST_EVERY + 1))
    assert plan_of({"title": "Go?"}) == Plan()


@pytest.mark.parametrize(
    ("page", "timeout", "expected"),
    [
        ({}, None, None),
        ({}, 5, 5),
        ({"remind": ["4h"]}, None, 4 * HOUR),
        ({"remind": ["4h"]}, 3 * HOUR, 3 * HOUR),
        ({"remind": ["4h"]}, 5 * HOUR, 4 * HOUR),
        ({"remind": ["2d"], "escalate": ESCALATE}, None, DAY),
        ({"remind": ["4h"], "escalate": ESCALATE}, 2 * DAY, 4 * HOUR),
    ],
)
def test_a_token_is_due_at_whatever_is_first(page: dict[str, Any], timeout: int | None, expected: int | None) -> None:
    assert next_due_at(waiting(page, timeout)) == (None if expected is None else START + expected)


def test_a_token_that_was_read_without_its_page_has_its_timeout() -> None:
    token = Token(id=new_id(START), created_at=START, timeout_at=START + 5)
    assert next_due_at(token) == START + 5
    assert remind(token, START + 4) is None


def test_each_comes_once_in_order() -> None:
    token = waiting({"remind": ["4h", "1d", "3d"], "escalate": {**ESCALATE, "after": "2d"}})
    assert all_asks(token, START + 100 * DAY) == [
        (4 * HOUR, 1, False),
        (DAY, 2, False),
        (2 * DAY, 2, True),
        (3 * DAY, 3, True),
    ]


def test_at_the_same_instant_a_reminder_and_the_escalation_are_one_change() -> None:
    token = remind(waiting({"remind": ["1d"], "escalate": ESCALATE}), START + DAY)
    assert token is not None
    assert (token.reminded_count, token.reminded_at, token.escalated_at, token.due_at) == (1, START + DAY, START + DAY, None)


def test_every_day_is_twenty_times_also_over_years() -> None:
    assert len(all_asks(waiting({"remind": "every 1d"}), START + 10_000 * DAY)) == MOST_EVERY
    assert all_asks(waiting({"remind": "every 200d"}), START + 10_000 * DAY)[-1] == (4_000 * DAY, MOST_EVERY, False)


@pytest.mark.parametrize(
    ("looked_after", "next_after"),
    [(HOUR, 2 * HOUR), (2 * HOUR - 1, 2 * HOUR), (2 * HOUR, 3 * HOUR), (6 * HOUR - 1, 6 * HOUR), (6 * HOUR, None), (DAY, None)],
)
def test_reminders_that_were_missed_are_one(looked_after: int, next_after: int | None) -> None:
    """After an outage, nobody is asked four times at once."""
    asked = remind(waiting({"remind": ["1h", "2h", "3h", "6h"]}), START + looked_after)
    assert asked is not None
    assert (asked.reminded_count, asked.reminded_at) == (1, START + looked_after)
    assert asked.due_at == (None if next_after is None else START + next_after)


def test_none_comes_before_its_time() -> None:
    token = waiting({"remind": ["4h"], "escalate": ESCALATE})
    assert remind(token, START + 4 * HOUR - 1) is None
    assert next_reminder(token) == START + 4 * HOUR


def test_a_reminder_at_the_timeout_or_later_never_comes() -> None:
    token = waiting({"remind": ["4h", "8h"]}, 8 * HOUR)
    assert next_reminder(token) == START + 4 * HOUR
    reminded = remind(token, START + 4 * HOUR)
    assert reminded is not None
    assert (next_reminder(reminded), next_due_at(reminded)) == (None, START + 8 * HOUR)
    assert next_due_at(replace(reminded, timeout_at=START + 9 * HOUR)) == START + 8 * HOUR  # once the deadline has moved
    assert next_due_at(replace(reminded, timeout_at=None)) == START + 8 * HOUR


def test_others_may_answer_from_the_escalation_on() -> None:
    plan = plan_of({"escalate": ESCALATE})
    assert escalation_at(waiting({}), plan) == escalation_at(waiting({}, DAY + 1), plan) == START + DAY
    assert escalation_at(waiting({}, escalated_at=START), plan) == START + DAY
    assert escalation_at(waiting({}), Plan()) is None


def test_others_never_answer_if_the_timeout_was_moved_to_before_the_escalation() -> None:
    plan = plan_of({"escalate": ESCALATE})
    assert escalation_at(waiting({}, DAY), plan) is escalation_at(waiting({}, HOUR), plan) is None
    assert escalation_at(waiting({}, HOUR, escalated_at=START + DAY), plan) == START + DAY
