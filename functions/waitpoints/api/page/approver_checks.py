"""Check who may answer a new page, who asked for it, and how many must agree.

    "approvers": [{"id", "name", "email", "slack", "language"}, …]     who may answer
    "approvers": ["ann@example.com", …]                                a text is an id, and an address if it is one
    "requestedBy": "ann@example.com", "selfApproval": true
    "escalate": {"after": "1d", "to": [approvers…]}                    from then on these may also answer
    "showAnswers": false                                               people see what others chose, not what they entered
    "sameFields": ["amount"]                                           who chooses the same action enters the same (true: all)

Nobody is named twice: ids, addresses and Slack ids are compared in one spelling, over `approvers` and `escalate.to` together.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from unicodedata import normalize

from waitpoints.api.page import submitted
from waitpoints.api.page.submitted import DURATION, FLAG, Chosen, Fitting, Items, Members, Shape, Text
from waitpoints.approvers import LANGUAGES, MAX_EMAIL, Approval, Approver, is_email
from waitpoints.errors import InvalidPage
from waitpoints.unknown_names import unknown

MEMBERS = ("approvers", "requestedBy", "selfApproval", "escalate", "showAnswers", "sameFields")  # of a page
MAX_APPROVERS = 20
EMAIL_EXPECTED = f"expected an e-mail address of at most {MAX_EMAIL} characters, and nothing else"
_NOT_SHOWN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)  # Default_Ignorable_Code_Point in DerivedCoreProperties.txt of Unicode 16
_SLACK = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)


def is_member_id(text: Any) -> bool:
    """Whether it is the id of a person in Slack."""
    return isinstance(text, str) and _SLACK.fullmatch(text) is not None


ID = Text(128, is_id=True)
_APPROVER = Members(
    {
        "id": ID,
        "name": Text(100),
        "email": Fitting(is_email, EMAIL_EXPECTED),
        "slack": Fitting(is_member_id, "expected a member id, such as U024BE7LH, not a name"),
        "language": Fitting(lambda value: value in LANGUAGES, f"expected one of {', '.join(LANGUAGES)}"),
    },
    needed=("id",),
)
_TRUE = Fitting(lambda value: value is True, "expected a list of names of fields, or true for all")
_NAMES = Items(Fitting(lambda value: isinstance(value, str), "expected the name of a field"), 30, 1)
PEOPLE = Items(Chosen(lambda value: ID if isinstance(value, str) else _APPROVER), MAX_APPROVERS, 1)
SHAPES: dict[str, Shape] = {
    "approvers": PEOPLE,
    "requestedBy": ID,
    "selfApproval": FLAG,
    "escalate": Members({"after": DURATION, "to": PEOPLE}, needed=("after", "to")),
    "showAnswers": FLAG,
    "sameFields": Chosen(lambda value: _NAMES if isinstance(value, list) else _TRUE),
}


def check_people(page: Mapping[str, Any]) -> None:
    """Check how the people of a page, each of whom has its shape, go together. Raises InvalidPage."""
    needs = {f"actions[{at}].needs": action["needs"] for at, action in enumerate(page.get("actions", ())) if "needs" in action}
    if "approvers" not in page:
        if dependent := [*(name for name in MEMBERS if name in page), *needs]:
            raise InvalidPage(f"page.{dependent[0]}", "it needs page.approvers")
        return
    people = _paths(page["approvers"], "page.approvers")
    for path, need in needs.items():
        if isinstance(need, bool) or not isinstance(need, int) or not 1 <= need <= len(people):
            expected = f"expected a whole number of 1 to {len(people)}, the number of approvers"
            raise InvalidPage(f"page.{path}", expected)
    check_decidable(needs.values(), len(people))
    people += _paths(page["escalate"]["to"], "page.escalate.to") if "escalate" in page else []
    if len(people) > MAX_APPROVERS:
        raise InvalidPage("page.escalate.to", f"with page.approvers, at most {MAX_APPROVERS} people are accepted")
    check_different(people)
    check_requester(page, people)
    _check_same_fields(page)


def check_decidable(needs: Iterable[int], people: int, path: str = "page.actions") -> None:
    """Raises InvalidPage if everybody could answer and nothing be decided. `needs` are those of all actions."""
    most = sum(need - 1 for need in needs)
    if most < people:
        return
    raise InvalidPage(
        path,
        f"all {people} approvers could answer and nothing be decided: needs minus 1, summed over all actions, is {most} and "
        f"must be at most {people - 1}. Ask at least {most + 1} approvers, or need fewer",
    )


def canonical(text: str) -> str:
    """Return the spelling by which people are compared: without case, compatibility forms, and what is not shown."""
    return normalize("NFKC", normalize("NFKC", _NOT_SHOWN.sub("", text)).casefold())


def requester_of(approval: Approval) -> Approver | None:
    """Return one of the people whom `requestedBy` names, or else an address or a Slack id. None: it is a name only.

    The language of the last two is not known, and so that of channels.
    """
    text = approval.requested_by or ""
    named = next((person for person in approval.everybody() if canonical(text) in identities(person)), None)
    unknown = replace(approval.approvers[0], id=text, name=None, email=None, slack=None)
    if named is None and is_email(text):
        return replace(unknown, email=text)
    return replace(unknown, slack=text) if named is None and is_member_id(text) else named


def identities(person: Approver) -> set[str]:
    """What names this person and nobody else."""
    return {canonical(text) for text in (person.id, person.email, person.slack) if text is not None}


def _paths(people: Sequence[Any], path: str) -> list[tuple[Approver, str]]:
    return [(Approver.of(one), f"{path}[{index}]") for index, one in enumerate(people)]


def check_different(people: Sequence[tuple[Approver, str]]) -> None:
    """Raises InvalidPage if two of these people, each with its path, are one."""
    seen: dict[str, str] = {}
    for approver, path in people:
        for identity in identities(approver):
            if identity in seen:
                raise InvalidPage(path, f"{seen[identity]} has the same id, e-mail address or Slack id")
        seen |= dict.fromkeys(identities(approver), path)


def check_requester(page: Mapping[str, Any], people: Sequence[tuple[Approver, str]]) -> None:
    """Raises InvalidPage if one of these people, each with its path, requested what they would answer."""
    itself = page.get("selfApproval", False)
    if "requestedBy" not in page:
        if "selfApproval" in page:
            raise InvalidPage("page.selfApproval", "it needs page.requestedBy")
        return
    requester = page["requestedBy"]
    path = next((path for approver, path in people if canonical(requester) in identities(approver)), None)
    if path and not itself:
        raise InvalidPage(
            "page.requestedBy",
            f"{submitted.printable(requester)} is {path}, too: nobody answers their own request without page.selfApproval",
        )


def _check_same_fields(page: Mapping[str, Any]) -> None:
    """Check that the fields exist, and people see what they have to enter."""
    if "sameFields" not in page:
        return
    if "fields" not in page:
        raise InvalidPage("page.sameFields", "it needs page.fields")
    if not page.get("showAnswers", True):
        raise InvalidPage("page.sameFields", "it needs page.showAnswers: people must see the values that they have to enter")
    names, known = page["sameFields"], page["fields"]["properties"]
    for name in () if names is True else names:
        if name not in known:
            raise InvalidPage("page.sameFields", unknown(submitted.printable(name), known))
