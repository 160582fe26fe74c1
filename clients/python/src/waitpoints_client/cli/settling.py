"""Complete or fail a token, and say if something else had ended it before, or if others were to decide."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from waitpoints_client.cli import show

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints
    from waitpoints_client.calls import Call
    from waitpoints_client.models import Completion, Token

Sent = TypeVar("Sent", bound="Completion")


def settle(waitpoints: "Waitpoints", call: "Call[Sent]", token: Callable[[Sent], str | None], *, as_json: bool) -> Sent:
    """Send a completion. `token` returns the id of the token from its answer, None if the completion is kept.

    An answer that it settled nothing may be that of a retry, after the answer to the first attempt was lost. So the
    completion has an id, which the token shows if it was this completion that ended it.

    Only for a person is a settled token read again: a program, which reads JSON, pays for no second request.
    """
    delivery_id = f"cli-{uuid.uuid4()}"
    answer = waitpoints.send(replace(call, delivery_id=delivery_id))
    if (token_id := token(answer)) and not (as_json and answer.settled):
        _note_what_ended_it(waitpoints, token_id, delivery_id)
    return answer


def _note_what_ended_it(waitpoints: "Waitpoints", token_id: str, delivery_id: str) -> None:
    from waitpoints_client import calls
    from waitpoints_client.errors import WaitpointsError

    try:
        found = waitpoints.send(calls.get(token_id))  # without its output, which can be large
    except WaitpointsError:  # a public access token may complete, and not read
        return
    by = found.completed_by
    if by and found.completed_at and by.delivery_id != delivery_id:
        at = found.completed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        show.note(f"{found.id} had already {_how(found)} at {at}: nothing changed")
    elif by and by.override:
        show.note(f"{found.id} has {_how(found)} in place of its approvers: {', '.join(it.id for it in found.approvers)}")


def _how(token: "Token") -> str:
    if token.status == "TIMED_OUT":
        return "timed out"
    return "been completed" if token.ok else "been failed"
