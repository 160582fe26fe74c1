"""Who signs in at the fake's issuer, to answer a page with `signIn`.

Everyone can. Like a real one, the issuer names a person by a `subject` that says nothing. Whose address it is always counts.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from waitpoints_client.testing import times
from waitpoints_client.testing.answers import Refusal, invalid, without_none
from waitpoints_client.testing.approval import Approval, Person, canonical, is_email, refuse_members, shown

ISSUER = "https://issuer.waitpoints.test"
MOST_DOMAINS = 20
_AGES = range(60_000, 86_400_001)  # milliseconds
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+[a-z0-9][a-z0-9-]{{0,61}}[a-z0-9]", re.ASCII | re.IGNORECASE)


def check(page: Mapping[str, Any], approval: Approval | None) -> None:
    """Check `signIn` and `maxAge` of a page with these people. Raises Refusal."""
    rule = page.get("signIn", True)
    if isinstance(rule, dict):
        _check_domains(rule)
    elif rule is not True:
        raise invalid("page.signIn", 'expected true, or {"domains": ["example.com"]} on a page without approvers')
    if "maxAge" in page and (times.duration(page["maxAge"]) or 0) not in _AGES:  # None would be compared with each of them
        raise invalid("page.maxAge", "expected a duration of 1m to 24h")
    if "signIn" not in page:
        if "maxAge" in page:
            raise invalid("page.maxAge", "it needs page.signIn")
        return
    if isinstance(rule, dict) and "approvers" in page:
        raise invalid("page.signIn", "with page.approvers, expected true")
    if rule is True and "approvers" not in page:
        raise invalid("page.signIn", 'without page.approvers, expected {"domains": ["example.com"]}')
    if rule is not True and "requestedBy" in page and not is_email(page["requestedBy"]):
        raise invalid("page.requestedBy", "on a page with signIn and without approvers, expected an e-mail address")
    check_can_sign_in(approval.everybody() if approval else (), "page.approvers")


def _check_domains(rule: Mapping[str, Any]) -> None:
    refuse_members(rule, "page.signIn", ("domains",))
    domains = rule.get("domains")
    if not isinstance(domains, list) or not 1 <= len(domains) <= MOST_DOMAINS:
        raise invalid("page.signIn.domains", f"expected a list of 1 to {MOST_DOMAINS} items")
    for number, domain in enumerate(domains):
        if not (isinstance(domain, str) and len(domain) <= 253 and _DOMAIN.fullmatch(domain)):
            expected = "a domain, such as example.com, in Punycode and without a wildcard"
            raise invalid(f"page.signIn.domains[{number}]", f"expected {expected}")


def check_can_sign_in(people: Iterable[Person], path: str) -> None:
    """Raises Refusal unless a sign-in can show who each of these people is."""
    unknown = [shown(person) for person in people if "subject" not in person and not person.get("email", "é").isascii()]
    if unknown:
        raise invalid(path, f"{', '.join(unknown)} cannot sign in: with signIn, each needs an email in ASCII, or a subject")


@dataclass(frozen=True)
class Account:
    """An account at the issuer."""

    subject: str
    email: str | None

    @classmethod
    def of(cls, named: str, approval: Approval) -> "Account":
        """Return whom a test means: a person of the page by their id, or else anyone by an address or a subject."""
        person = next((one for one in (*approval.everybody(), *approval.removed) if one["id"] == named), None)
        if person:
            email, subject = person.get("email"), person.get("subject")
        else:
            email, subject = (named, None) if is_email(named) else (None, named)
        return cls(subject or hashlib.sha256((email or named).lower().encode()).hexdigest()[:20], email)

    def member(self, at: str | None) -> dict[str, Any]:
        """Return what answers have of it."""
        return without_none({"issuer": ISSUER, "subject": self.subject, "email": self.email, "at": at})

    def find(self, approval: Approval) -> Person:
        """Return who this is on a page. Raises Refusal unless they may answer now."""
        person = None if self._is_requester(approval) else self._find(approval)
        if person is None:
            raise Refusal(403, "This account is not, or not yet, among those who may answer")
        if person in approval.removed:
            raise Refusal(403, "This waitpoint was handed over: this person may no longer answer")
        return person

    def _find(self, approval: Approval) -> Person | None:
        if approval.domains:
            domain = (self.email or "").rpartition("@")[2].lower()
            return {"id": self.subject} if domain in {one.lower() for one in approval.domains} else None
        given = [answer["approver"] for answer in approval.answers if answer["signedIn"]["subject"] == self.subject]
        people = (*approval.asked(), *approval.removed)
        return next((one for one in people if (one["id"] == given[0] if given else self._is(one))), None)

    def _is(self, person: Person) -> bool:
        if "subject" in person:
            return person["subject"] == self.subject
        return self.email is not None and person.get("email", "").lower() == self.email.lower()

    def _is_requester(self, approval: Approval) -> bool:
        if approval.requested_by is None or approval.self_approval:
            return False
        return canonical(approval.requested_by) in {canonical(text) for text in (self.email, self.subject) if text}
