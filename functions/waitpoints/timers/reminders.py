"""When a waiting token's page is asked again: its reminders, and its escalation.

The plan is in the page alone, as durations from the create, so that the token's item has no byte more for it:

    "remind": ["4h", "1d"], or "every 1d"    those who have not answered are asked again
    "escalate": {"after": "1d", …}           from then on others may answer, too

The token has what of it was done. Reminders that were missed, as in an outage, are one. None comes at the timeout or later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from waitpoints import json_text, timeouts
from waitpoints.token import Token

EVERY = "every "
MOST_EVERY = 20  # reminders of "every 1d"


@dataclass(frozen=True, slots=True)
class Plan:
    """Milliseconds from the create. The reminders are in ascending order."""

    reminders: tuple[int, ...] = ()
    escalation: int | None = None


def plan_of(page: Mapping[str, Any]) -> Plan:
    remind, escalate = page.get("remind", ()), page.get("escalate")
    if isinstance(remind, str):
        interval = timeouts.duration(remind.removeprefix(EVERY))
        reminders = tuple(interval * number for number in range(1, MOST_EVERY + 1))
    else:
        reminders = tuple(map(timeouts.duration, remind))
    return Plan(reminders, timeouts.duration(escalate["after"]) if escalate else None)


def next_due_at(token: Token) -> int | None:
    """When a waiting token is due: at its next reminder, escalation or timeout, whichever is first.

    None: never. The token must have been read with its page, as for all of these.
    """
    return _next_due_at(token, _plan(token))


def next_reminder(token: Token) -> int | None:
    """When a waiting token is asked again, unless it ends before. None: never."""
    instant = _next_reminder(token, _plan(token))
    return None if instant is None or (token.timeout_at is not None and token.timeout_at <= instant) else instant


def escalation_at(token: Token, plan: Plan) -> int | None:
    """When others may answer, also after that. None: never, as when the timeout was moved to before."""
    if plan.escalation is None:
        return None
    at = token.created_at + plan.escalation
    comes = token.escalated_at is not None or token.timeout_at is None or at < token.timeout_at
    return at if comes else None


def remind(token: Token, now: int) -> Token | None:
    """Return a waiting token as it is once what is due at `now` is recorded. None: nothing is due."""
    plan = _plan(token)
    reminder, escalation = _next_reminder(token, plan), _next_escalation(token, plan)
    asked = token
    if reminder is not None and reminder <= now:
        asked = replace(asked, reminded_count=token.reminded_count + 1, reminded_at=now)
    if escalation is not None and escalation <= now:
        asked = replace(asked, escalated_at=now)
    return None if asked is token else replace(asked, due_at=_next_due_at(asked, plan))


def _plan(token: Token) -> Plan:
    return plan_of(json_text.parse(token.page or "{}"))


def _next_due_at(token: Token, plan: Plan) -> int | None:
    instants = (_next_reminder(token, plan), _next_escalation(token, plan), token.timeout_at)
    return min((instant for instant in instants if instant is not None), default=None)


def _next_reminder(token: Token, plan: Plan) -> int | None:
    """Return the first reminder after the last one that was sent, however many were due then."""
    last = token.created_at if token.reminded_at is None else token.reminded_at
    return next((at for after in plan.reminders if (at := token.created_at + after) > last), None)


def _next_escalation(token: Token, plan: Plan) -> int | None:
    return None if plan.escalation is None or token.escalated_at is not None else token.created_at + plan.escalation
