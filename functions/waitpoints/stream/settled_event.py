"""What the event of a settled token says. See docs/events.md."""

from waitpoints import json_text
from waitpoints.event import Event
from waitpoints.json_text import present
from waitpoints.token import Completed, Failed, Output, TimedOut, Token, iso
from waitpoints.waiter_result import completed_by, outcome_error


def settled_event(token: Token, bucket: str, *, with_output: bool = True) -> Event:
    """Return the event of a settled token. An output in `bucket` is only referred to.

    Without its output, which EventBridge has refused, the event says `"outputRefused": true` instead.
    """
    assert token.outcome is not None, "only a settled token has an event"
    match token.outcome:
        case Failed() | TimedOut():
            ending = {"error": json_text.dumps(outcome_error(token.outcome).members())}
        case Completed(_, Output(_, str(key))):
            ending = {"outputReference": json_text.dumps({"bucket": bucket, "key": key})}
        case Completed(_, output):  # it is kept as its own text
            ending = {"output": output.json or "null"} if with_output else {"outputRefused": "true"}
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
    detail = json_text.object_of({**json_text.texts(present(members)), **present({"metadata": token.metadata}), **ending})
    return Event(f"waitpoint.{token.status.lower()}", token.outcome.at, detail)
