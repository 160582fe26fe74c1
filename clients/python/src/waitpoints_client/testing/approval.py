"""The people of a page in the fake: who may answer it, what they have answered, and when that decides."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

from waitpoints_client.ignorable import DEFAULT_IGNORABLE
from waitpoints_client.testing import times
from waitpoints_client.testing.answers import Refusal, invalid, iso, unknown, without_none

MEMBERS = ("approvers", "requestedBy", "selfApproval", "escalate", "showAnswers", "sameFields")  # of a page
OF_NAMED = ("approvers", "escalate")  # only where a page names who may answer
MOST = 20  # people
EMAIL_EXPECTED = "expected an e-mail address of at most 254 characters, and nothing else"
LONGEST_ANSWER = 3_072  # bytes of JSON
MOST_SUBJECT = 255  # characters
_EMAIL = re.compile(r"[^\s@<>\"(),:;\[\]\\]+@[^\s@<>\"(),:;\[\]\\.]+(\.[^\s@<>\"(),:;\[\]\\.]+)+")
_BLANKS = r"\s\u2800\ufff9-\ufffb\U00013430-\U0001343f\U00013441\U00013442\U00016fe4\U0001d159"
_NOT_SHOWN = re.compile(f"[{_BLANKS}{DEFAULT_IGNORABLE}]")
_SLACK = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_PERSON = ("id", "name", "email", "slack", "language", "subject")
_LANGUAGES = ("en", "de", "fr", "es", "ja", "zh")

Person = dict[str, str]
"""A person as the API shows them."""


@dataclass
class Approval:
    """Who may answer a page, and what they have answered. `after` is in milliseconds from the create.

    `sign_in` is the page's `signIn`. With `domains`, it names no approvers.
    """

    approvers: list[Person]
    needs: dict[str, int]
    requested_by: str | None = None
    after: int | None = None
    to: list[Person] = field(default_factory=list)
    has_fields: bool = False
    self_approval: bool = False
    answers: list[dict[str, Any]] = field(default_factory=list)
    hand_overs: list[dict[str, Any]] = field(default_factory=list)
    removed: list[Person] = field(default_factory=list)
    escalated_at: int | None = None
    sign_in: Any = None

    @property
    def domains(self) -> Sequence[str]:
        """Whose people may answer."""
        return self.sign_in["domains"] if isinstance(self.sign_in, dict) else ()

    def escalate(self, created_at: int, now: int) -> None:
        """Let the others answer, too, if it is time."""
        if self.after is not None and self.escalated_at is None and created_at + self.after <= now:
            self.escalated_at = created_at + self.after

    def may_answer(self, approver: str) -> bool:
        """Whether this person may answer now."""
        return any(person["id"] == approver for person in self.asked())

    def asked(self) -> list[Person]:
        """Return who may answer now."""
        return [*self.approvers, *(self.to if self.escalated_at is not None else ())]

    def everybody(self) -> list[Person]:
        """Return also those who may answer later."""
        return [*self.approvers, *self.to]

    def hand_over(self, added: list[Person], removed: list[Person], now: int) -> None:
        """Change who may answer."""
        self.approvers = [person for person in self.approvers if person not in removed] + added
        self.to = [person for person in self.to if person not in removed]
        self.removed += removed
        ids = {"added": [one["id"] for one in added], "removed": [one["id"] for one in removed]}
        self.hand_overs.append({**ids, "at": iso(now)})

    def answer_of(self, approver: str | None) -> dict[str, Any] | None:
        """Return what this person has answered."""
        return next((answer for answer in self.answers if answer["approver"] == approver), None)

    def record(self, approver: str, choice: Mapping[str, Any], now: int, signed_in: Mapping[str, Any]) -> dict[str, Any] | None:
        """Record what a person chose. Returns the token's output if that decides."""
        self.answers.append({"approver": approver, **choice, "at": iso(now), **signed_in})
        chosen = Counter(answer["action"] for answer in self.answers)
        if chosen[choice["action"]] < self.needs[choice["action"]]:
            return None
        return without_none({**choice, "approver": approver, "answers": self.answers, "handOvers": self.hand_overs or None})

    def links(self, link_of: Callable[[str], str]) -> list[Person]:
        """Return the link of each person."""
        return [{"approver": person["id"], "url": link_of(person["id"])} for person in self.everybody()]

    def shown(self, created_at: int, timeout_at: int | None, link_of: Callable[[str], str]) -> dict[str, Any]:
        """Return what retrieve has of it."""
        later, at = None, None if self.after is None else created_at + self.after
        if at is not None and self.to and (self.escalated_at is not None or timeout_at is None or at < timeout_at):
            later = without_none({"at": iso(at), "to": self.to, "askedAt": iso(self.escalated_at)})
        shown = {"needs": self.needs, "approvers": self.approvers, "escalation": later, "requestedBy": self.requested_by}
        shown |= {"links": self.links(link_of), "answers": list(self.answers), "handOvers": list(self.hand_overs) or None}
        return without_none(shown)


def read_choice(approval: Approval, text: str, *, ignore_fields: bool) -> dict[str, Any]:
    """Return the action and the fields that a JSON text chooses. Raises Refusal."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    fields = found.get("fields", {}) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(fields, dict):
        raise _misfit('expected a JSON object {"action": "…", "fields": {…}}.')
    for name in found:
        if name not in ("action", "fields"):
            wrong = unknown(name, ("action", "fields"))
            raise _misfit(wrong if wrong.endswith("?") else f"{wrong}.")
    if approval.has_fields and not ignore_fields:
        how = "make it with FakeWaitpoints(ignore_rules=True) to accept everything"
        raise NotImplementedError(f"FakeWaitpoints does not check `fields` of a page: {how}")
    if fields and not approval.has_fields:
        raise _misfit("the page has no fields.")
    if not isinstance(found.get("action"), str) or found["action"] not in approval.needs:
        expected = " or ".join(json.dumps(action) for action in approval.needs)
        raise _misfit(f'expected "action" to be {expected}.')
    return {"action": found["action"], "fields": fields}


def _misfit(reason: str) -> Refusal:
    return Refusal(422, f"The body does not fit the token's page: {reason}", "PayloadRefused")


def parse(page: Any) -> Approval | None:
    """Return the people of a page, None if anyone may answer who has the URL. Raises Refusal."""
    if not isinstance(page, dict):
        return None
    actions = page.get("actions", [{"id": "submit"}])
    is_open = "approvers" not in page
    if is_open:
        has_rule = "signIn" in page
        lonely = [f"page.{name}" for name in (OF_NAMED if has_rule else MEMBERS) if name in page]
        lonely += [f"page.actions[{at}].needs" for at, one in enumerate(actions) if "needs" in one and not has_rule]
        if lonely:
            raise invalid(lonely[0], "it needs page.approvers")
        if not has_rule:
            return None
    people = [] if is_open else read_people(page["approvers"], "page.approvers")
    after, to = _escalate(page["escalate"]) if "escalate" in page else (None, [])
    if "signIn" not in page:
        refuse_subjects([*people, *to])
    if len(people) + len(to) > MOST:
        raise invalid("page.escalate.to", f"with page.approvers, at most {MOST} people are accepted")
    refuse_twice([*people, *to])
    requester, itself = _requester(page), page.get("selfApproval", False)
    approvers, later = ([person for person, _ in _others(page, named)] for named in (people, to))
    if (people and not approvers) or (to and not later):
        refuse_requester(requester or "", [*people, *to])
    who = "approvers" if len(approvers) == len(people) else "approvers without page.requestedBy"
    most = MOST if is_open else len(approvers)
    what = "the most answers that a page without approvers has" if is_open else f"the number of {who}"
    needs = {action["id"]: _need(action, number, most, what) for number, action in enumerate(actions)}
    _refuse_undecidable(needs, most, who)
    return Approval(
        approvers,
        needs,
        requester,
        after,
        later,
        has_fields="fields" in page,
        self_approval=itself,
        sign_in=page.get("signIn"),
    )


def _need(action: Mapping[str, Any], number: int, most: int, what: str) -> int:
    need = action.get("needs", 1)
    if isinstance(need, bool) or not isinstance(need, int) or not 1 <= need <= most:
        raise invalid(f"page.actions[{number}].needs", f"expected a whole number of 1 to {most}, {what}")
    return need


def least_approvers(needs: Mapping[str, int]) -> int:
    """Return how many people decide for certain once all have answered."""
    return sum(need - 1 for need in needs.values()) + 1


def _refuse_undecidable(needs: Mapping[str, int], people: int, who: str) -> None:
    least = least_approvers(needs)
    if people < least:
        raise invalid(
            "page.actions",
            f"all {people} {who} could answer and nothing be decided: needs minus 1, summed over all actions, is "
            f"{least - 1} and must be at most {people - 1}. Ask at least {least} approvers, or need fewer",
        )


def read_people(value: Any, path: str) -> list[tuple[Person, str]]:
    """Return a list of people, each with its path. Raises Refusal."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST:
        raise invalid(path, f"expected a list of 1 to {MOST} items")
    return [(_person(item, f"{path}[{number}]"), f"{path}[{number}]") for number, item in enumerate(value)]


def _person(value: Any, path: str) -> Person:
    if isinstance(value, str):
        identifier = read_id(value, path)
        return {"id": identifier, **({"email": identifier} if is_email(identifier) else {})}
    refuse_members(value, path, _PERSON)
    if "name" in value:
        _text(value["name"], f"{path}.name", 100)
    if "email" in value and not is_email(value["email"]):
        raise invalid(f"{path}.email", EMAIL_EXPECTED)
    if "slack" in value and not (isinstance(value["slack"], str) and _SLACK.fullmatch(value["slack"])):
        raise invalid(f"{path}.slack", "expected a member id, such as U024BE7LH, not a name")
    if "language" in value and value["language"] not in _LANGUAGES:
        raise invalid(f"{path}.language", f"expected one of {', '.join(_LANGUAGES)}")
    read_id(value.get("id"), f"{path}.id")
    subject = value.get("subject", "-")
    if not (isinstance(subject, str) and 0 < len(subject) <= MOST_SUBJECT and subject.isascii() and subject.isprintable()):
        expected = f"the claim sub of an ID token: 1 to {MOST_SUBJECT} characters of ASCII"
        raise invalid(f"{path}.subject", f"expected {expected}")
    return {name: value[name] for name in _PERSON if name in value}


def refuse_subjects(people: Sequence[tuple[Person, str]]) -> None:
    """Raises Refusal if one of these people, each with its path, is named by what only a sign-in shows."""
    if paths := [path for person, path in people if "subject" in person]:
        raise invalid(f"{paths[0]}.subject", "it needs page.signIn")


def shown(person: Person) -> str:
    """Return what a refusal has of a person."""
    name = person.get("name", person["id"])
    return name if len(name) <= 60 else name[:60] + "…"


def read_id(value: Any, path: str) -> str:
    """Raises Refusal."""
    text = _text(value, path, 128)
    if any(character in "\t\n\r" for character in text) or text != text.strip():
        raise invalid(path, "line breaks, tabs and outer spaces are not accepted")
    return text


def _text(value: Any, path: str, longest: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise invalid(path, f"expected a text of 1 to {longest:,} characters")
    if not value.strip():
        raise invalid(path, "expected more than white space")
    if _CONTROLS.search(value):
        raise invalid(path, "control characters and halves of surrogate pairs are not accepted")
    return value


def is_email(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= 254 and _EMAIL.fullmatch(text) is not None and text.isprintable()


def _escalate(value: Any) -> tuple[int, list[tuple[Person, str]]]:
    refuse_members(value, "page.escalate", ("after", "to"))
    to = read_people(value.get("to"), "page.escalate.to")
    return times.from_create(value.get("after"), "page.escalate.after"), to


def refuse_twice(people: Sequence[tuple[Person, str]]) -> None:
    """Raises Refusal if two of these people, each with its path, are one."""
    seen: dict[str, str] = {}
    for person, path in people:
        names = _names(person)
        if twice := [name for name in names if name in seen]:
            raise invalid(path, f"{seen[twice[0]]} has the same id, e-mail address or Slack id")
        seen |= dict.fromkeys(names, path)


def _requester(page: Mapping[str, Any]) -> str | None:
    itself = page.get("selfApproval", False)
    if not isinstance(itself, bool):
        raise invalid("page.selfApproval", "expected true or false")
    if "requestedBy" not in page:
        if "selfApproval" in page:
            raise invalid("page.selfApproval", "it needs page.requestedBy")
        return None
    return read_id(page["requestedBy"], "page.requestedBy")


def _others(page: Mapping[str, Any], people: Sequence[tuple[Person, str]]) -> list[tuple[Person, str]]:
    """Return who of these people, each with its path, may answer: all but who asks, without `selfApproval`."""
    if page.get("selfApproval", False) or "requestedBy" not in page:
        return [*people]
    requester = canonical(page["requestedBy"])
    return [(person, path) for person, path in people if requester not in _names(person)]


def without_requester(page: Any) -> Any:
    """Return a page that has been checked as it is stored: without its requester among those who may answer."""
    if not isinstance(page, dict) or "approvers" not in page:
        return page
    lists = {"approvers": page["approvers"], "to": page.get("escalate", {}).get("to", [])}
    left = {name: [one for one in people if _others(page, [(_person(one, name), name)])] for name, people in lists.items()}
    stored = {**page, "approvers": left["approvers"]}
    return stored | ({"escalate": {**page["escalate"], "to": left["to"]}} if "escalate" in page else {})


def refuse_requester(requester: str, people: Sequence[tuple[Person, str]]) -> None:
    """Raises Refusal if one of these people, each with its path, requested what they would answer."""
    if paths := [path for person, path in people if canonical(requester) in _names(person)]:
        rule = "nobody answers their own request without page.selfApproval"
        raise invalid("page.requestedBy", f"{requester} is {paths[0]}, too: {rule}")


def _names(person: Person) -> set[str]:
    return {canonical(person[name]) for name in ("id", "email", "slack", "subject") if name in person}


def canonical(text: str) -> str:
    """Return the spelling by which people are compared."""
    spelling = normalize("NFKC", normalize("NFKC", _NOT_SHOWN.sub("", text)).casefold())
    return spelling.rstrip(".") if "@" in spelling else spelling


def refuse_members(value: Any, path: str, known: tuple[str, ...]) -> None:
    """Raises Refusal."""
    if not isinstance(value, dict):
        raise invalid(path, "expected an object")
    for name in value:
        if name not in known:
            raise invalid(path, unknown(name, known))
