"""Answer a token as those do for whom it was made: by its page, its approvers' links or its URL, or else with the API key."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from waitpoints_client import APIError, Waitpoints

from waitpoints_local.machine.history import Answered

if TYPE_CHECKING:
    from waitpoints_client import Token

    from waitpoints_local.machine.answers import Answer
    from waitpoints_local.machine.fitting_output import Completion

NOT_MATCHING = "its completeWhen does not match this answer"


class Refused(Exception):
    """A token did not take an answer. The message says why."""


def answer(
    waitpoints: Waitpoints, completion: "Completion", choose: "Callable[[str | None], Answer | None]"
) -> Iterator[Answered]:
    """Answer a token that waits, and yield what was given. Raises Refused.

    `choose` returns what an approver answers, or whoever has the URL (None).
    """
    token = waitpoints.get(completion.token)
    if token.status != "WAITING":
        if any(choose(person.id) for person in token.approvers) or choose(None):
            raise Refused(f"it has ended before: it is {token.status}")
    elif token.approvers:
        yield from _answer_as_approvers(waitpoints, token, choose)
    elif chosen := choose(None):
        deliver(waitpoints, completion, chosen.value)
        yield Answered(chosen.value)


def deliver(waitpoints: Waitpoints, completion: "Completion", value: Any, approver: str | None = None) -> None:
    """Answer by an approver's link, with the API key if a sender must sign, else by the token's URL. Raises Refused."""
    token = completion.token
    try:
        if approver is not None:
            _post(waitpoints, _link(token, approver), value)
        elif completion.is_signed:
            waitpoints.complete(token, value)
        else:
            _post(waitpoints, token.url, value)
            if waitpoints.get(token).status == "WAITING":
                raise Refused(NOT_MATCHING)
    except APIError as error:
        raise Refused(str(error)) from None


def _answer_as_approvers(
    waitpoints: Waitpoints, token: "Token", choose: "Callable[[str | None], Answer | None]"
) -> Iterator[Answered]:
    """Let those answer who are asked, until the token ends."""
    for person in token.still_asked:
        if chosen := choose(person.id):
            try:
                _post(waitpoints, _link(token, person.id), chosen.value)
            except APIError as error:
                raise Refused(f"{person.id}: {error}") from None
            yield Answered(chosen.value, person.id)
            if waitpoints.get(token).status != "WAITING":
                return


def people(token: "Token") -> list[str]:
    """Return the ids of its approvers, and of those whom it escalates to."""
    return [person.id for person in (*token.approvers, *(token.escalation.to if token.escalation else ()))]


def no_approver(name: str, approvers: Iterable[str]) -> str:
    """Say that nobody of this name answers."""
    return f"{name} is none of its approvers: {', '.join(approvers) or 'it has none'}"


def _link(token: "Token", approver: str) -> str:
    links = {link.approver: link.url for link in token.links}
    if approver not in links:
        raise Refused(no_approver(approver, links))
    return links[approver]


def _post(waitpoints: Waitpoints, url: str, value: Any) -> None:
    waitpoints._run(waitpoints._session.deliver(url, json.dumps(value, ensure_ascii=False, allow_nan=False).encode()))
