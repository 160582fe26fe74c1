"""Who may answer a page, who asked for it, and how many must agree.

    "approvers": [{"id", "name", "email", "slack", "language"}, …]     who may answer
    "approvers": ["ann@example.com", …]                                a text is an id, and an address if it is one
    "requestedBy": "ann@example.com", "selfApproval": true
    "escalate": {"after": "1d", "to": [approvers…]}                    from then on these may answer, too

Nobody is named twice: ids, addresses and Slack ids are compared without case, over `approvers` and `escalate.to` together.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waitpoints.api.page import submitted
from waitpoints.errors import InvalidPage
from waitpoints.token import present

MEMBERS = ("approvers", "requestedBy", "selfApproval", "escalate")  # of a page
MAX_APPROVERS = 20
MAX_ID = 128  # characters
MAX_NAME = 100  # characters
MAX_EMAIL = 254  # characters
EMAIL_EXPECTED = f"expected an e-mail address of at most {MAX_EMAIL} characters, and nothing else"
_EMAIL = re.compile(r"[^\s@<>\"(),:;\[\]\\]+@[^\s@<>\"(),:;\[\]\\.]+(\.[^\s@<>\"(),:;\[\]\\.]+)+")
_SLACK = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Approver:
    """A person who may answer. `email` and `slack` (a member id such as U024BE7LH) are where they are reached.

    `language` is that of the mails they get.
    """

    id: str
    name: str | None = None
    email: str | None = None
    slack: str | None = None
    language: str | None = None

    @property
    def shown(self) -> str:
        return self.name or self.id

    def members(self) -> dict[str, str]:
        """Return it as answers of the API have it."""
        shown = {"id": self.id, "name": self.name, "email": self.email, "slack": self.slack, "language": self.language}
        return present(shown)

    def identities(self) -> set[str]:
        """What names this person and nobody else, without case."""
        return {text.casefold() for text in (self.id, self.email, self.slack) if text is not None}


@dataclass(frozen=True, slots=True)
class Escalation:
    """`after` is in milliseconds from the create."""

    after: int
    to: tuple[Approver, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """The people of a page."""

    approvers: tuple[Approver, ...]
    requested_by: str | None = None
    escalation: Escalation | None = None

    def everybody(self) -> tuple[Approver, ...]:
        return (*self.approvers, *(self.escalation.to if self.escalation else ()))

    def links(self, link_of: Callable[[str], str]) -> list[dict[str, str]]:
        """Return the link of each person, also of those whom it may be escalated to, as the API shows it."""
        return [{"approver": person.id, "url": link_of(person.id)} for person in self.everybody()]

    def asked(self, *, is_escalated: bool) -> tuple[Approver, ...]:
        """Who may answer now."""
        return self.everybody() if is_escalated else self.approvers


def parse(page: Mapping[str, Any]) -> Approval | None:
    """Return the people of a page, None if it names no approvers. Raises InvalidPage."""
    if "approvers" not in page:
        for name in MEMBERS:
            if name in page:
                raise InvalidPage(f"page.{name}", "it needs page.approvers")
        return None
    listed = submitted.check_items(page["approvers"], "page.approvers", MAX_APPROVERS, 1)
    approvers = [(_approver(value, place), place) for value, place in listed]
    escalation, to = _escalation(page["escalate"]) if "escalate" in page else (None, [])
    _check_different([*approvers, *to])
    requested_by = _requester(page, [*approvers, *to])
    return Approval(tuple(approver for approver, _ in approvers), requested_by, escalation)


def check_decidable(needs: Sequence[int], approvers: int) -> None:
    """Raises InvalidPage if everybody could answer and nothing be decided. `needs` are those of all actions."""
    most = sum(need - 1 for need in needs)
    if most < approvers:
        return
    raise InvalidPage(
        "page.actions",
        f"all {approvers} approvers could answer and nothing be decided: needs minus 1, summed over all actions, is {most} and "
        f"must be at most {approvers - 1}. Ask at least {most + 1} approvers, or need fewer",
    )


def _approver(value: Any, place: str) -> Approver:
    if isinstance(value, str):
        identifier = _id(value, place)
        return Approver(identifier, email=identifier if is_email(identifier) else None)
    given = submitted.check_members(value, place, ("id", "name", "email", "slack", "language"))
    name = submitted.check_text(given["name"], f"{place}.name", MAX_NAME) if "name" in given else None
    email, slack = given.get("email"), given.get("slack")
    if "email" in given and not is_email(email):
        raise InvalidPage(f"{place}.email", EMAIL_EXPECTED)
    if "slack" in given and not (isinstance(slack, str) and _SLACK.fullmatch(slack)):
        raise InvalidPage(f"{place}.slack", "expected a member id, such as U024BE7LH, not a name")
    language = _language(given["language"], f"{place}.language") if "language" in given else None
    return Approver(_id(given.get("id"), f"{place}.id"), name, email, slack, language)


def _language(value: Any, place: str) -> str:
    from waitpoints.api.page import words  # noqa: PLC0415 - only for people with a language

    if not isinstance(value, str) or value not in words.WORDS:
        raise InvalidPage(place, f"expected one of {', '.join(words.WORDS)}")
    return value


def _id(value: Any, place: str) -> str:
    text = submitted.check_text(value, place, MAX_ID)
    if any(character in "\t\n\r" for character in text) or text != text.strip():
        raise InvalidPage(place, "line breaks, tabs and outer spaces are not accepted")
    return text


def is_email(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= MAX_EMAIL and _EMAIL.fullmatch(text) is not None and text.isprintable()


def _escalation(value: Any) -> tuple[Escalation, list[tuple[Approver, str]]]:
    given = submitted.check_members(value, "page.escalate", ("after", "to"))
    listed = submitted.check_items(given.get("to"), "page.escalate.to", MAX_APPROVERS, 1)
    to = [(_approver(one, place), place) for one, place in listed]
    after = submitted.check_duration(given.get("after"), "page.escalate.after")
    return Escalation(after, tuple(approver for approver, _ in to)), to


def _check_different(people: Sequence[tuple[Approver, str]]) -> None:
    if len(people) > MAX_APPROVERS:
        raise InvalidPage("page.escalate.to", f"with page.approvers, at most {MAX_APPROVERS} people are accepted")
    seen: dict[str, str] = {}
    for approver, place in people:
        for identity in approver.identities():
            if identity in seen:
                raise InvalidPage(place, f"{seen[identity]} has the same id, e-mail address or Slack id")
        seen |= dict.fromkeys(approver.identities(), place)


def _requester(page: Mapping[str, Any], people: Sequence[tuple[Approver, str]]) -> str | None:
    itself = page.get("selfApproval", False)
    if not isinstance(itself, bool):
        raise InvalidPage("page.selfApproval", "expected true or false")
    if "requestedBy" not in page:
        if "selfApproval" in page:
            raise InvalidPage("page.selfApproval", "it needs page.requestedBy")
        return None
    requester = _id(page["requestedBy"], "page.requestedBy")
    for place in _places_of(requester, people):
        if not itself:
            raise InvalidPage(
                "page.requestedBy",
                f"{submitted.printable(requester)} is {place}, too: nobody answers their own request without page.selfApproval",
            )
    return requester


def _places_of(requester: str, people: Sequence[tuple[Approver, str]]) -> Iterator[str]:
    return (place for approver, place in people if requester.casefold() in approver.identities())
