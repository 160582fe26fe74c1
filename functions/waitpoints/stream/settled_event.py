"""What the event of a settled token says. See docs/events.md."""

from typing import assert_never

from waitpoints import json_text
from waitpoints.event import Event
from waitpoints.json_text import present
from waitpoints.token import Completed, Failed, Outcome, Output, TimedOut, Token, iso
from waitpoints.waiter_result import completed_by, outcome_error


def settled_event(token: Token, bucket: str, *, with_output: bool = True) -> Event:
    """Return the event of a settled token. An output in `bucket` is only referred to.

    Without its output, which EventBridge has refused, the event says `"outputRefused": true` instead.
    """
    assert token.outcome is not None, "only a settled token has an event"
    name, text = _result(token.outcome, bucket)
    if name == "output" and not with_output:
        name, text = "outputRefused", "true"
    members = {
        "id": token.id,
        "tags": list(token.tags),
        "idempotencyKey": token.idempotency_key,
        "page": token.listed_page,
        "createdAt": iso(token.created_at),
        "completedAt": iso(token.outcome.at),
        "completedBy": completed_by(token),
        "traceparent": token.traceparent,
        "createdBy": token.created_by,
        "ok": isinstance(token.outcome, Completed),
    }
    detail = json_text.object_of({**json_text.texts(present(members)), **present({"metadata": token.metadata}), name: text})
    return Event(f"waitpoint.{token.status.lower()}", token.outcome.at, detail)


def _result(outcome: Outcome, bucket: str) -> tuple[str, str]:
    """Return the name and the JSON text of the member that says how the token ended. An output is kept as its own text."""
    match outcome:
        case Failed() | TimedOut():
            return "error", json_text.dumps(outcome_error(outcome).members())
        case Completed(_, Output(_, str(key))):
            return "outputReference", json_text.dumps({"bucket": bucket, "key": key})
        case Completed(_, output):
            return "output", output.json or "null"
    assert_never(outcome)
