"""What the events of a waiting token say: an answer that did not end it, a hand-over, a reminder, its escalation.

docs/events.md has them.

Each kind has numbers of its own. So an event has an id that is the same whenever it is put: the token, the kind, the number.
"""

from dataclasses import dataclass
from typing import Any

from waitpoints import approvers, json_text
from waitpoints.approvers import answer_text, signed_in_member
from waitpoints.event import Event
from waitpoints.json_text import present
from waitpoints.token import Answer, Completed, Token, iso

ANSWERED, HANDED_OVER, REMINDER, ESCALATED = "answered", "handed_over", "reminder", "escalated"


@dataclass(frozen=True, slots=True)
class Change:
    """The `number`-th of a kind of thing that happened to a waiting token, at the time `at`."""

    kind: str
    number: int
    at: int

    @property
    def is_request(self) -> bool:
        """Whether it asks people for an answer, which a token that has ended needs no more."""
        return self.kind in (REMINDER, ESCALATED)

    def id_of(self, token: Token) -> str:
        return f"{token.id}/{self.kind}/{self.number}"


def latest(token: Token) -> list[Change]:
    """Return the last of each kind, from a token's item alone. Each was the last one in some record of the stream."""
    reminder = [Change(REMINDER, token.reminded_count, token.reminded_at)] if token.reminded_at is not None else []
    escalation = [Change(ESCALATED, 1, token.escalated_at)] if token.escalated_at is not None else []
    return [*all_answers(token)[-1:], *all_hand_overs(token)[-1:], *reminder, *escalation]


def all_answers(token: Token) -> list[Change]:
    """Return the answers that did not end the token."""
    return [
        Change(ANSWERED, number, answer.at) for number, answer in enumerate(token.answers, 1) if not _has_decided(token, answer)
    ]


def all_hand_overs(token: Token) -> list[Change]:
    return [Change(HANDED_OVER, number, one.at) for number, one in enumerate(token.hand_overs, 1)]


def waiting_event(token: Token, change: Change, *, with_output: bool = True) -> Event:
    """Return the event of one of these. A request needs a token that was read with its page.

    Without the fields of an answer, which EventBridge has refused, the event says `"fieldsRefused": true` instead.
    """
    members: dict[str, Any] = {
        "id": token.id,
        "eventId": change.id_of(token),
        "number": change.number,
        "tags": list(token.tags),
        "idempotencyKey": token.idempotency_key,
        "page": token.listed_page,
        "createdAt": iso(token.created_at),
        "timeoutAt": None if token.timeout_at is None else iso(token.timeout_at),
        "traceparent": token.traceparent,
        "createdBy": token.created_by,
        "at": iso(change.at),
    }
    if change.is_request:
        return Event(f"waitpoint.{change.kind}", change.at, json_text.dumps(present(members | _people(token))))
    if change.kind == HANDED_OVER:
        members["handOver"] = token.hand_overs[change.number - 1].shown_members()
        return Event(f"waitpoint.{change.kind}", change.at, json_text.dumps(present(members)))
    it = token.answers[change.number - 1]
    said = {"answer": answer_text(it)}  # its fields are kept as their own text, digit for digit
    if not with_output:
        bare = {"approver": it.approver, "action": it.action, "at": iso(it.at), **signed_in_member(it.signed_in)}
        said = json_text.texts({"answer": bare, "fieldsRefused": True})
    return Event(f"waitpoint.{change.kind}", change.at, json_text.object_of(json_text.texts(present(members)) | said))


def concerns_anyone(token: Token, change: Change) -> bool:
    """Whether a change has an event: hand-overs may have removed all to whom a token, read with its page, is escalated."""
    return change.kind != ESCALATED or bool(_people(token).get("escalatedTo"))


def _people(token: Token) -> dict[str, list[str]]:
    """Return who may answer and has not, and to whom the token is escalated. Empty if its page does not name who may."""
    approval = approvers.of_token(token)
    if approval is None:
        return {}
    people = {"unanswered": [person.id for person in approval.pending(token)]}
    if token.escalated_at is not None:
        people["escalatedTo"] = [person.id for person in approval.escalated_to]
    return people


def _has_decided(token: Token, answer: Answer) -> bool:
    outcome = token.outcome
    return isinstance(outcome, Completed) and (by := outcome.completed_by) is not None and by.approver == answer.approver
