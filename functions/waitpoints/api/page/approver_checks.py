"""Check who may answer a new page, who asked for it, and how many must agree.

    "approvers": [{"id", "name", "email", "slack", "language"}, …]     who may answer
    "approvers": ["ann@example.com", …]                                a text is an id, and an address if it is one
    "requestedBy": "ann@example.com", "selfApproval": true           without it, who asks is left out of those who may answer
    "escalate": {"after": "1d", "to": [approvers…]}                    from then on these may also answer
    "showAnswers": false                                               people see what others chose, not what they entered
    "sameFields": ["amount"]                                           who chooses the same action enters the same (true: all)
    "signIn": true                                                     they sign in, by `email` or by `subject`
    "signIn": {"domains": ["example.com"]}                             without approvers: anyone of these domains does
    "maxAge": "5m"                                                     nobody's sign-in may be older

Nobody is named twice: ids, addresses and Slack ids are compared in one spelling, over `approvers` and `escalate.to` together.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from unicodedata import normalize

from waitpoints import approvers, timeouts
from waitpoints.api.page.markup import printable
from waitpoints.api.page.shapes import DURATION, FLAG, Chosen, Fitting, Items, Members, Shape, Text
from waitpoints.approvers import LANGUAGES, MAX_EMAIL, Approval, Approver, is_email
from waitpoints.errors import InvalidPage
from waitpoints.unknown_names import shown, unknown

MAX_APPROVERS = 20
MAX_DOMAINS = 20
MIN_AGE, MAX_AGE = 60_000, 86_400_000  # milliseconds
MAX_SUBJECT = 255  # characters: OpenID Connect Core, section 2
EMAIL_EXPECTED = f"expected an e-mail address of at most {MAX_EMAIL} characters, and nothing else"
NOT_SHOWN = re.compile(
    r"[\s\u2800\ufff9-\ufffb\U00013430-\U0001343f\U00013441\U00013442\U00016fe4\U0001d159"  # blanks, and format characters
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)  # the last two lines: Default_Ignorable_Code_Point in DerivedCoreProperties.txt of Unicode 16
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]", re.ASCII | re.IGNORECASE)
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
        "subject": Fitting(
            lambda value: isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT and value.isascii() and value.isprintable(),
            f"expected the claim sub of an ID token: 1 to {MAX_SUBJECT} characters of ASCII",
        ),
    },
    needed=("id",),
)
_TRUE = Fitting(lambda value: value is True, "expected a list of names of fields, or true for all")
_NAMES = Items(Fitting(lambda value: isinstance(value, str), "expected the name of a field"), 30, 1)
_DOMAINS = Members(
    {
        "domains": Items(
            Fitting(
                lambda value: isinstance(value, str) and len(value) <= 253 and _DOMAIN.fullmatch(value) is not None,
                "expected a domain, such as example.com, in Punycode and without a wildcard",
            ),
            MAX_DOMAINS,
            1,
        )
    },
    needed=("domains",),
)
_SIGNS_IN = Fitting(lambda value: value is True, 'expected true, or {"domains": ["example.com"]} on a page without approvers')
_MAX_AGE = Fitting(
    lambda value: DURATION.fits(value) and MIN_AGE <= timeouts.duration(value) <= MAX_AGE, "expected a duration of 1m to 24h"
)
_SIGN_IN = Chosen(lambda value: _DOMAINS if isinstance(value, dict) else _SIGNS_IN)
PEOPLE = Items(Chosen(lambda value: ID if isinstance(value, str) else _APPROVER), MAX_APPROVERS, 1)
SHAPES: dict[str, Shape] = {
    "approvers": PEOPLE,
    "requestedBy": ID,
    "selfApproval": FLAG,
    "escalate": Members({"after": DURATION, "to": PEOPLE}, needed=("after", "to")),
    "showAnswers": FLAG,
    "sameFields": Chosen(lambda value: _NAMES if isinstance(value, list) else _TRUE),
    "signIn": _SIGN_IN,
    "maxAge": _MAX_AGE,
}


def check_people(page: Mapping[str, Any]) -> None:
    """Check how the people of a page, each of whom has its shape, go together. Raises InvalidPage."""
    needs = {f"actions[{at}].needs": action["needs"] for at, action in enumerate(page.get("actions", ())) if "needs" in action}
    if "approvers" not in page:
        is_open = "signIn" in page
        of_named = ("escalate",) if is_open else (*(name for name in SHAPES if name != "maxAge"), *needs)
        if dependent := [name for name in of_named if name in page or name in needs]:
            raise InvalidPage(f"page.{dependent[0]}", "it needs page.approvers")
        if is_open:
            _check_needs(needs, MAX_APPROVERS, "the most answers that a page without approvers has")
            check_requester(page, ())
            _check_same_fields(page)
        return
    people = [
        (Approver.of(one), f"{path}[{index}]") for path, written in _lists(page).items() for index, one in enumerate(written)
    ]
    for approver, path in people:
        if approver.subject is not None and "signIn" not in page:
            raise InvalidPage(f"{path}.subject", "it needs page.signIn")
    if len(people) > MAX_APPROVERS:
        raise InvalidPage("page.escalate.to", f"with page.approvers, at most {MAX_APPROVERS} people are accepted")
    check_different(people)
    others = without_requester(page)
    check_requester(page, () if all(_lists(others).values()) else people)
    who = "approvers" if others["approvers"] == page["approvers"] else "approvers without page.requestedBy"
    _check_needs(needs, len(others["approvers"]), f"the number of {who}", who)
    _check_same_fields(page)


def without_requester(page: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a page, whose people have their shape, without its requester among those who may answer."""
    others = {**page}
    if "approvers" not in page or "requestedBy" not in page or page.get("selfApproval", False):
        return others
    requester = canonical(page["requestedBy"])

    def left(written: Sequence[Any]) -> list[Any]:
        return [one for one in written if requester not in identities(Approver.of(one))]

    others["approvers"] = left(page["approvers"])
    if "escalate" in page:
        others["escalate"] = {**page["escalate"], "to": left(page["escalate"]["to"])}
    return others


def _lists(page: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """The people of a page with approvers, by the paths of their lists."""
    lists = {"page.approvers": page["approvers"]}
    return lists | ({"page.escalate.to": page["escalate"]["to"]} if "escalate" in page else {})


def _check_needs(needs: Mapping[str, Any], most: int, what: str, who: str = "approvers") -> None:
    """Check the numbers of people that actions need, by their paths."""
    for path, need in needs.items():
        if isinstance(need, bool) or not isinstance(need, int) or not 1 <= need <= most:
            raise InvalidPage(f"page.{path}", f"expected a whole number of 1 to {most}, {what}")
    check_decidable(needs.values(), most, who)


def least_approvers(needs: Iterable[int]) -> int:
    """Return how many people decide for certain once all have answered. `needs` are those of all actions."""
    return sum(need - 1 for need in needs) + 1


def check_decidable(needs: Iterable[int], people: int, who: str = "approvers") -> None:
    least = least_approvers(needs)
    if people < least:
        raise InvalidPage(
            "page.actions",
            f"all {people} {who} could answer and nothing be decided: needs minus 1, summed over all actions, is "
            f"{least - 1} and must be at most {people - 1}. Ask at least {least} approvers, or need fewer",
        )


def canonical(text: str) -> str:
    """Return the spelling by which people are compared: without case, compatibility forms, blanks, and what is not shown.

    An address has no dot at its end.
    """
    spelling = normalize("NFKC", normalize("NFKC", NOT_SHOWN.sub("", text)).casefold())
    return spelling.rstrip(".") if "@" in spelling else spelling


def requester_of(approval: Approval) -> Approver | None:
    """Return one of the people whom `requestedBy` names, or else an address or a Slack id. None: it is a name only.

    The language of the last two is not known, and so that of channels.
    """
    text = approval.requested_by or ""
    named = next((person for person in approval.everybody() if canonical(text) in identities(person)), None)
    unknown = Approver(text, language=next((person.language for person in approval.approvers), None))
    if named is None and is_email(text):
        return replace(unknown, email=text)
    return replace(unknown, slack=text) if named is None and is_member_id(text) else named


def identities(person: Approver) -> set[str]:
    """What names this person and nobody else."""
    return {canonical(text) for text in (person.id, person.email, person.slack, person.subject) if text is not None}


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
            f"{printable(requester)} is {path}, too: nobody answers their own request without page.selfApproval",
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
            raise InvalidPage("page.sameFields", unknown(printable(name), known))
        if names.count(name) > 1:
            raise InvalidPage("page.sameFields", "the same name twice")


def check_bound(page: Mapping[str, Any], client: tuple[str, str] | None) -> dict[str, Any]:
    """Return the members of a page, each of which has its shape, with the issuer and client where people sign in."""
    if "signIn" not in page:
        if "maxAge" in page:
            raise InvalidPage("page.maxAge", "it needs page.signIn")
        expected = "true" if "approvers" in page else '{"domains": ["example.com"]}, as the page has no approvers'
        raise InvalidPage("page.signIn", f"this stack has the parameter SignIn=required: expected {expected}")
    if client is None:
        raise InvalidPage("page.signIn", "this stack was deployed without the parameter OidcIssuer")
    issuer, client_id = client
    has_domains = isinstance(page["signIn"], dict)
    if has_domains and "approvers" in page:
        raise InvalidPage("page.signIn", "with page.approvers, expected true")
    if not has_domains and "approvers" not in page:
        raise InvalidPage("page.signIn", 'without page.approvers, expected {"domains": ["example.com"]}')
    if has_domains and "requestedBy" in page and not is_email(page["requestedBy"]):
        raise InvalidPage("page.requestedBy", "on a page with signIn and without approvers, expected an e-mail address")
    people = approvers.of_page(page)
    check_can_sign_in(people.everybody() if people else (), "page.approvers")
    domains = page["signIn"] if has_domains else {}
    return {**page, "signIn": {"issuer": issuer, "clientId": client_id, **domains}}


def check_can_sign_in(people: Iterable[Approver], path: str) -> None:
    """Raises InvalidPage unless a sign-in can show who each of these people is."""
    unknown = [shown(one.shown) for one in people if one.subject is None and not (one.email and one.email.isascii())]
    if unknown:
        raise InvalidPage(path, f"{', '.join(unknown)} cannot sign in: with signIn, each needs an email in ASCII, or a subject")
