"""Answer a token as those do for whom it was made: by its page, its approvers' links or its URL, or else with the API key.

A task token that none of them stands for is answered through Step Functions.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from waitpoints_client import APIError, Waitpoints, calls

if TYPE_CHECKING:
    from waitpoints_client import Token

    from waitpoints_local.machine.fitting_output import Completion
    from waitpoints_local.machine.tasks import TaskToken

NOT_MATCHING = "its completeWhen does not match this answer"


class Refused(Exception):
    """A token did not take an answer. The message says why."""


def deliver(waitpoints: Waitpoints, completion: "Completion", value: Any, approver: str | None = None) -> None:
    """Answer by an approver's link, with the API key if a provider must sign, else by the token's URL. Raises Refused."""
    token = completion.token
    try:
        if approver is not None:
            waitpoints.send(calls.deliver(_link(token, approver), value))
        elif completion.is_signed:
            waitpoints.complete(token, value)
        else:
            waitpoints.send(calls.deliver(token.url, value))
            if waitpoints.get(token).status == "WAITING":
                raise Refused(NOT_MATCHING)
    except APIError as error:
        raise Refused(str(error)) from None


def send(step_functions: Any, what: str, token: "TaskToken", **said: str) -> None:
    """Send success, failure or heartbeat for a task token. Raises Refused."""
    try:
        getattr(step_functions, f"send_task_{what}")(taskToken=token.id, **said)
    except ClientError as error:
        raise Refused(error.response["Error"]["Message"]) from None


def people(token: "Token") -> list[str]:
    """Return the ids of its approvers, and of those whom it escalates to."""
    return [person.id for person in (*token.approvers, *(token.escalation.to if token.escalation else ()))]


def describe_unknown(name: str, approvers: Iterable[str]) -> str:
    """Say that no approver has this name."""
    return f"{name} is none of its approvers: {', '.join(approvers) or 'it has none'}"


def _link(token: "Token", approver: str) -> str:
    links = {link.approver: link.url for link in token.links}
    if approver not in links:
        raise Refused(describe_unknown(approver, links))
    return links[approver]
