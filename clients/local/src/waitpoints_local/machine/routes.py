"""Answer a token as those do for whom it was made: by its page, its approvers' links or its URL, signed if it must be.

A task token that none of them stands for is answered through Step Functions.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import httpx
from botocore.exceptions import ClientError
from waitpoints_client import APIError, Waitpoints, calls

from waitpoints_local.webhook_signer import CannotSign, Sent

if TYPE_CHECKING:
    from waitpoints_client import Token
    from waitpoints_client.ops.deployed import Deployed

    from waitpoints_local.machine.fitting_output import Completion
    from waitpoints_local.machine.tasks import TaskToken

REQUEST_TIMEOUT = 35.0  # seconds
NOT_MATCHING = "its completeWhen does not match this answer"


class Refused(Exception):
    """A token did not take an answer. The message says why."""


def deliver(
    stack: "Deployed", waitpoints: Waitpoints, completion: "Completion", value: Any, approver: str | None = None
) -> None:
    """Answer by an approver's link, else by the token's URL, signed if the token asks for it. Raises Refused."""
    token = completion.token
    try:
        if approver is not None:
            waitpoints.send(calls.deliver(_link(token, approver), value))
            return
        if completion.is_signed:
            signed = sign(stack, token.id, delivery(token.url, json.dumps(value, ensure_ascii=False, allow_nan=False)))
            waitpoints.send(calls.deliver(signed.url, signed.body, signed.headers))
        else:
            waitpoints.send(calls.deliver(token.url, value))
        if waitpoints.get(token).status == "WAITING":
            raise Refused(NOT_MATCHING)
    except (APIError, CannotSign) as error:
        raise Refused(str(error)) from None


def send(step_functions: Any, what: str, token: "TaskToken", **said: str) -> None:
    """Send success, failure or heartbeat for a task token. Raises Refused."""
    try:
        getattr(step_functions, f"send_task_{what}")(taskToken=token.id, **said)
    except ClientError as error:
        raise Refused(error.response["Error"]["Message"]) from None


def delivery(url: str, body: Any, headers: Mapping[str, str] | None = None) -> Sent:
    """Return what is posted, without a signature: bytes and texts as they are, else JSON."""
    content = body if isinstance(body, (bytes, str)) else json.dumps(body, ensure_ascii=False)
    named = {name.lower(): value for name, value in (headers or {}).items()}
    return Sent(content.encode() if isinstance(content, str) else content, {"content-type": "application/json", **named}, url)


def post(sent: Sent) -> httpx.Response:
    return httpx.post(sent.url, content=sent.body, headers=sent.headers, timeout=REQUEST_TIMEOUT, trust_env=False)


def sign(stack: "Deployed", token_id: str, sent: Sent) -> Sent:
    """Sign a delivery as the token asks for it. Raises CannotSign."""
    from waitpoints_local.machine import signing  # noqa: PLC0415 - only for tokens that ask for it

    signature = signing.of_token(stack, token_id)
    if signature is None:
        raise CannotSign(f"{token_id} has no `verify`, so nothing is signed")
    return signature.sign(sent)


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
