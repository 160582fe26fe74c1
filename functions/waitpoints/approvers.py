"""Who may answer a page, after each hand-over, and the answers and hand-overs as JSON, in results, events and the API.

[{"approver", "action", "fields", "at", "signedIn": {"issuer", "subject", "email", "at"}}, …]
[{"added": ["bo"], "removed": ["ann"], "at", "key"}, …]    `key` is the name of a named key

`api.page.approver_checks` says what a create may write.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Self

from waitpoints import json_text
from waitpoints.errors import BodyTooLarge
from waitpoints.json_text import Stored
from waitpoints.token import Answer, HandOver, Token, iso

if TYPE_CHECKING:
    from waitpoints.sign_in import SignedIn

MEMBERS = ("id", "name", "email", "slack", "language", "subject")
MAX_ANSWER = 3_072  # bytes of JSON: 20 answers, and all of them again in the output, fit into an item with 100 waiters
MAX_EMAIL = 254  # characters
LANGUAGES = ("en", "de", "fr", "es", "ja", "zh")
LinkOf = Callable[[str | None], str]
"""Returns the link of the approver with an id; of None, the callback URL."""
_EMAIL = re.compile(r"[^\s@<>\"(),:;\[\]\\]+@[^\s@<>\"(),:;\[\]\\.]+(\.[^\s@<>\"(),:;\[\]\\.]+)+")


@dataclass(frozen=True, slots=True)
class Approver(Stored):
    """Without a `subject`, who they are at the issuer is whose address `email` is."""

    id: Annotated[str, {"min_length": 1, "max_length": 128}]
    name: Annotated[str | None, "How the page names the person. Without it, by the id."] = None
    email: Annotated[str | None, "The person's e-mail address."] = None
    slack: Annotated[str | None, "The person's member id in Slack, such as U024BE7LH."] = None
    language: Annotated[str | None, {"enum": LANGUAGES}, "The language of the person's messages."] = None
    subject: Annotated[str | None, "Who they are at the issuer: the claim `sub` of an ID token."] = None

    @classmethod
    def of(cls, value: str | Mapping[str, Any]) -> Self:
        """Read a member of a page. A text is an id, and also an address if it is one."""
        if isinstance(value, str):
            return cls(value, email=value if is_email(value) else None)
        return cls(value["id"], *(value.get(name) for name in MEMBERS[1:]))

    @classmethod
    def who_signed_in(cls, signed_in: "SignedIn") -> Self:
        """Return a person whom a page does not name."""
        return cls(signed_in.subject, signed_in.email, signed_in.email, subject=signed_in.subject)

    @property
    def shown(self) -> str:
        return self.name or self.id


@dataclass(frozen=True, slots=True)
class Approval:
    """The people of a page. `escalated_to` may also answer once the token is escalated.

    `ever` are they and who was removed, each where they were first: a hand-over adds at the end. With `signs_in`, a sign-in
    says who somebody is, else their link does.
    """

    approvers: tuple[Approver, ...]
    requested_by: str | None = None
    escalated_to: tuple[Approver, ...] = ()
    ever: tuple[Approver, ...] = ()
    signs_in: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the page names no one: anyone may answer who signs in as it says."""
        return self.signs_in and not self.ever

    def everybody(self) -> tuple[Approver, ...]:
        return (*self.approvers, *self.escalated_to)

    def after(self, hand_over: HandOver) -> Self:
        added = tuple(map(Approver.of, hand_over.added))

        def stay(people: tuple[Approver, ...]) -> tuple[Approver, ...]:
            return tuple(person for person in people if person.id not in hand_over.removed)

        approvers = (*stay(self.approvers), *added)
        return replace(self, approvers=approvers, escalated_to=stay(self.escalated_to), ever=(*self.ever, *added))

    def who_gave(self, answer: Answer) -> Approver:
        if self.is_open and answer.signed_in:
            return Approver.who_signed_in(answer.signed_in)
        return next(person for person in (*self.everybody(), *self.ever) if person.id == answer.approver)

    def link(self, person: Approver | None, link_of: LinkOf) -> str | None:
        """Return the link by which somebody answers: their own, or with a sign-in the callback URL, which is no secret then.

        None: the page does not name them, and each needs a link of their own.
        """
        if self.signs_in:
            return link_of(None)
        return link_of(person.id) if person else None

    def links(self, people: Iterable[Approver], link_of: LinkOf) -> list[dict[str, Any]]:
        """Return the link of each of these people, as the API shows it."""
        return [{"approver": person.id, "url": self.link(person, link_of)} for person in people]

    def who_may_answer(self, token: Token) -> tuple[Approver, ...]:
        """Return who may answer now, also who has."""
        return self.everybody() if token.escalated_at is not None else self.approvers

    def pending(self, token: Token) -> list[Approver]:
        """Return who may answer now and has not."""
        return [person for person in self.who_may_answer(token) if token.answer_of(person.id) is None]


def of_page(page: Mapping[str, Any], hand_overs: Sequence[HandOver] = ()) -> Approval | None:
    """Return the people of a page's members after these hand-overs. None if it does not say who may answer."""
    signs_in = "signIn" in page
    if "approvers" not in page and not signs_in:
        return None
    people = tuple(map(Approver.of, page.get("approvers", ())))
    to = tuple(map(Approver.of, page.get("escalate", {}).get("to", ())))
    return reduce(Approval.after, hand_overs, Approval(people, page.get("requestedBy"), to, (*people, *to), signs_in))


def of_token(token: Token) -> Approval | None:
    """Return the people of a token that was read with its page."""
    return of_page(json_text.parse(token.page or "{}"), token.hand_overs)


def is_email(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= MAX_EMAIL and _EMAIL.fullmatch(text) is not None and text.isprintable()


def find_approver(token: Token, approval: Approval | None, approver: str) -> Approver | None:
    """Return the person with this id if they may answer now."""
    people = approval.who_may_answer(token) if approval else ()
    return next((person for person in people if person.id == approver), None)


def find_member(token: Token, approval: Approval | None, member: str) -> Approver | None:
    """Return the person with this id of a member of Slack if they may answer now."""
    people = approval.who_may_answer(token) if approval else ()
    return next((person for person in people if person.slack == member), None)


def check_size(output: str, signed_in: "SignedIn | None" = None) -> None:
    """Check the JSON text of what one person chose, or the API key in place of all. Raises BodyTooLarge."""
    output += json_text.dumps(signed_in_member(signed_in)) if signed_in else ""
    if len(output.encode("utf-8", "surrogatepass")) > MAX_ANSWER:
        raise BodyTooLarge(f"An answer to a page with approvers can have at most {MAX_ANSWER:,} bytes of JSON")


def different_values(names: Iterable[str], fields: str, others: str) -> tuple[str, ...]:
    """Return which of the fields have different values in two JSON texts, as a form understands them, but to the last digit."""
    one, other = (json_text.parse(text, exact_number, exact_number) for text in (fields, others))
    return tuple(name for name in names if _understood(one.get(name)) != _understood(other.get(name)))


def exact_number(number: str) -> Decimal | str:
    """Return a JSON number with all its digits."""
    try:
        return Decimal(number)
    except InvalidOperation:  # its exponent has 19 digits or more: it equals only what is written like it
        return number


def _understood(value: Any) -> Any:
    """What a person can tell apart: not the order of choices, line breaks of another system, and outer white space."""
    if isinstance(value, list):
        return frozenset(value)
    return value.replace("\r\n", "\n").replace("\r", "\n").strip() if isinstance(value, str) else value


def answers_text(answers: Sequence[Answer]) -> str:
    """Return them as a JSON text. Each answer's fields stay as they were sent, digit for digit."""
    return f"[{','.join(map(answer_text, answers))}]"


def answer_members(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return them as an answer of the API has them."""
    return [answer.shown_members() | signed_in_member(answer.signed_in) for answer in answers]


def hand_overs_text(hand_overs: Sequence[HandOver]) -> dict[str, str]:
    """Return the member of a result that says who handed over to whom. Empty if nobody did."""
    return {"handOvers": json_text.dumps([one.shown_members() for one in hand_overs])} if hand_overs else {}


def decided_text(answers: Sequence[Answer], hand_overs: Sequence[HandOver] = ()) -> str:
    """Return the output of a token whose last answer decided: what a page's output is, whose answer it was, and all answers."""
    last = answers[-1]
    action, approver = json_text.dumps(last.action), json_text.dumps(last.approver)
    members = {"action": action, "fields": last.fields, "approver": approver, "answers": answers_text(answers)}
    return json_text.object_of({**members, **hand_overs_text(hand_overs)})


def answer_text(answer: Answer) -> str:
    shown = json_text.texts({"approver": answer.approver, "action": answer.action})
    signed_in = json_text.texts(signed_in_member(answer.signed_in))
    return json_text.object_of({**shown, "fields": answer.fields, "at": json_text.dumps(iso(answer.at)), **signed_in})


def signed_in_member(signed_in: "SignedIn | None") -> dict[str, Any]:
    """Return the member that says who signed in, and when. Empty for a page that does not ask."""
    return {"signedIn": {**signed_in.shown_members(), "at": iso(signed_in.at)}} if signed_in else {}
