"""Check who may answer a new page, who asked for it, and how many must agree.

    "approvers": [{"id", "name", "email", "slack", "language"}, …]     who may answer
    "approvers": ["ann@example.com", …]                                a text is an id, and an address if it is one
    "requestedBy": "ann@example.com", "selfApproval": true
    "escalate": {"after": "1d", "to": [approvers…]}                    from then on these may also answer

Nobody is named twice: ids, addresses and Slack ids are compared without case, over `approvers` and `escalate.to` together.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from waitpoints import approvers
from waitpoints.api.page import submitted
from waitpoints.approvers import MAX_EMAIL, Approver, is_email
from waitpoints.errors import InvalidPage

MEMBERS = ("approvers", "requestedBy", "selfApproval", "escalate")  # of a page
MAX_APPROVERS = 20
MAX_ID = 128  # characters
MAX_NAME = 100  # characters
EMAIL_EXPECTED = f"expected an e-mail address of at most {MAX_EMAIL} characters, and nothing else"
_SLACK = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)


def check(page: Mapping[str, Any]) -> int:
    """Return how many approvers a page names. Raises InvalidPage."""
    if "approvers" not in page:
        for name in MEMBERS:
            if name in page:
                raise InvalidPage(f"page.{name}", "it needs page.approvers")
        return 0
    first = _check_people(page["approvers"], "page.approvers")
    others = _check_escalation(page["escalate"]) if "escalate" in page else []
    _check_different([*first, *others])
    _check_requester(page, [*first, *others])
    return len(first)


def check_decidable(needs: Sequence[int], people: int) -> None:
    """Raises InvalidPage if everybody could answer and nothing be decided. `needs` are those of all actions."""
    most = sum(need - 1 for need in needs)
    if most < people:
        return
    raise InvalidPage(
        "page.actions",
        f"all {people} approvers could answer and nothing be decided: needs minus 1, summed over all actions, is {most} and "
        f"must be at most {people - 1}. Ask at least {most + 1} approvers, or need fewer",
    )


def _check_people(value: Any, place: str) -> list[tuple[Approver, str]]:
    return [(_checked(one, at), at) for one, at in submitted.check_items(value, place, MAX_APPROVERS, 1)]


def _checked(value: Any, place: str) -> Approver:
    if isinstance(value, str):
        _check_id(value, place)
        return Approver.of(value)
    given = submitted.check_members(value, place, approvers.MEMBERS)
    slack = given.get("slack")
    if "name" in given:
        submitted.check_text(given["name"], f"{place}.name", MAX_NAME)
    if "email" in given and not is_email(given["email"]):
        raise InvalidPage(f"{place}.email", EMAIL_EXPECTED)
    if "slack" in given and not (isinstance(slack, str) and _SLACK.fullmatch(slack)):
        raise InvalidPage(f"{place}.slack", "expected a member id, such as U024BE7LH, not a name")
    if "language" in given:
        _check_language(given["language"], f"{place}.language")
    _check_id(given.get("id"), f"{place}.id")
    return Approver.of(given)


def _check_language(value: Any, place: str) -> None:
    from waitpoints.api.page import words  # noqa: PLC0415 - only for people with a language

    if not isinstance(value, str) or value not in words.WORDS:
        raise InvalidPage(place, f"expected one of {', '.join(words.WORDS)}")


def _check_id(value: Any, place: str) -> None:
    text = submitted.check_text(value, place, MAX_ID)
    if any(character in "\t\n\r" for character in text) or text != text.strip():
        raise InvalidPage(place, "line breaks, tabs and outer spaces are not accepted")


def _check_escalation(value: Any) -> list[tuple[Approver, str]]:
    given = submitted.check_members(value, "page.escalate", approvers.ESCALATION_MEMBERS)
    to = _check_people(given.get("to"), "page.escalate.to")
    submitted.check_duration(given.get("after"), "page.escalate.after")
    return to


def _check_different(people: Sequence[tuple[Approver, str]]) -> None:
    if len(people) > MAX_APPROVERS:
        raise InvalidPage("page.escalate.to", f"with page.approvers, at most {MAX_APPROVERS} people are accepted")
    seen: dict[str, str] = {}
    for approver, place in people:
        for identity in approver.identities():
            if identity in seen:
                raise InvalidPage(place, f"{seen[identity]} has the same id, e-mail address or Slack id")
        seen |= dict.fromkeys(approver.identities(), place)


def _check_requester(page: Mapping[str, Any], people: Sequence[tuple[Approver, str]]) -> None:
    itself = page.get("selfApproval", False)
    if not isinstance(itself, bool):
        raise InvalidPage("page.selfApproval", "expected true or false")
    if "requestedBy" not in page:
        if "selfApproval" in page:
            raise InvalidPage("page.selfApproval", "it needs page.requestedBy")
        return
    requester = page["requestedBy"]
    _check_id(requester, "page.requestedBy")
    place = next((place for approver, place in people if requester.casefold() in approver.identities()), None)
    if place and not itself:
        raise InvalidPage(
            "page.requestedBy",
            f"{submitted.printable(requester)} is {place}, too: nobody answers their own request without page.selfApproval",
        )
