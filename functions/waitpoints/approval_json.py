"""The answers and hand-overs of a page's approvers as JSON, in results, events and the API.

[{"approver", "action", "fields", "at", "signedIn": {"issuer", "subject", "email", "at"}}, …]
[{"added": ["bo"], "removed": ["ann"], "at", "key"}, …]    `key` is the name of a named key
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from waitpoints import json_text
from waitpoints.errors import BodyTooLarge
from waitpoints.json_text import present
from waitpoints.token import Answer, HandOver, iso

if TYPE_CHECKING:
    from waitpoints.sign_in import SignedIn

MAX_ANSWER = 3_072  # bytes of JSON: 20 answers, and all of them again in the output, fit into an item with 100 waiters


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
    return [
        {"approver": answer.approver, "action": answer.action, "fields": json_text.parse(answer.fields), "at": iso(answer.at)}
        | signed_in_member(answer.signed_in)
        for answer in answers
    ]


def hand_over_members(hand_over: HandOver) -> dict[str, Any]:
    """Return a hand-over as the API has it: the ids of whom it added and removed, when, and with which named key."""
    added, removed = [person["id"] for person in hand_over.added], list(hand_over.removed)
    return present({"added": added, "removed": removed, "at": iso(hand_over.at), "key": hand_over.key})


def hand_overs_text(hand_overs: Sequence[HandOver]) -> dict[str, str]:
    """Return the member of a result that says who handed over to whom. Empty if nobody did."""
    return {"handOvers": json_text.dumps([hand_over_members(one) for one in hand_overs])} if hand_overs else {}


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
    if signed_in is None:
        return {}
    who = {"issuer": signed_in.issuer, "subject": signed_in.subject, "email": signed_in.email, "at": iso(signed_in.at)}
    return {"signedIn": present(who)}
