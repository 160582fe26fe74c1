"""A change of who may answer a page in the fake."""

from typing import Any

from waitpoints_client.testing import approval as approvals
from waitpoints_client.testing import notices, sign_in
from waitpoints_client.testing.answers import Refusal, invalid
from waitpoints_client.testing.approval import MOST, Approval, Person, canonical
from waitpoints_client.testing.tokens import FakeToken

MOST_EVER = 40  # people of one token, also those who were removed


def hand_over(token: FakeToken, value: Any, now: int) -> list[Person]:
    """Change who may answer a token's page, and return whom that adds. Raises Refusal."""
    add, remove = _parse(value)
    if token.outcome is not None:
        raise Refusal(409, "The waitpoint has ended, so its approvers can no longer be changed")
    approval = token.approval
    if approval is None or approval.domains:
        raise invalid("approvers", "this waitpoint has no page that names its approvers")
    removed = _removed(approval, remove)
    added = [(person, path) for person, path in add if _is_new(approval, removed, person, path)]
    if added or removed:
        _check(token, approval, added, removed)
        approval.hand_over([person for person, _ in added], removed, now)
    return [person for person, _ in add]


def _parse(value: Any) -> tuple[list[tuple[Person, str]], list[str]]:
    if not isinstance(value, dict):
        raise Refusal(400, 'Validation error: expected an object at "approvers"')
    approvals.refuse_members(value, "approvers", ("add", "remove"))
    add = approvals.read_people(value["add"], "approvers.add") if "add" in value else []
    remove = value.get("remove", [])
    if "remove" in value and (not isinstance(remove, list) or not 1 <= len(remove) <= MOST_EVER):
        raise invalid("approvers.remove", f"expected a list of 1 to {MOST_EVER} items")
    ids = [approvals.read_id(one, f"approvers.remove[{number}]") for number, one in enumerate(remove)]
    if not value:
        raise invalid("approvers", "expected add, remove, or both")
    approvals.refuse_twice(add)
    return add, ids


def _find(approval: Approval, written: str) -> Person | None:
    ever = (*approval.everybody(), *approval.removed)
    return next((person for person in ever if canonical(person["id"]) == canonical(written)), None)


def _removed(approval: Approval, ids: list[str]) -> list[Person]:
    removed: list[Person] = []
    for number, written in enumerate(ids):
        person = _find(approval, written)
        if person is None:
            names = ", ".join(one["id"] for one in approval.everybody())
            raise invalid(f"approvers.remove[{number}]", f"no approver has this id: expected one of {names}")
        if approval.answer_of(person["id"]):
            raise Refusal(409, f"{person['id']} has answered, and stays: only those who have not can be removed", "HasAnswered")
        if person in approval.everybody() and person not in removed:
            removed.append(person)
    return removed


def _is_new(approval: Approval, removed: list[Person], person: Person, path: str) -> bool:
    known = _find(approval, person["id"])
    if known is None:
        return True
    if known in removed or known in approval.removed:
        raise invalid(path, f"{known['id']} is removed, and their link never answers again: choose another id")
    if known != person:
        raise invalid(path, f"{known['id']} is there already, with other members: remove them, and add another id")
    return False


def _check(token: FakeToken, approval: Approval, added: list[tuple[Person, str]], removed: list[Person]) -> None:
    new = [person for person, _ in added]
    stay = [person for person in approval.everybody() if person not in removed]
    approvals.refuse_twice([*((person, person["id"]) for person in stay), *added])
    if approval.requested_by is not None and not approval.self_approval:
        approvals.refuse_requester(approval.requested_by, added)
    if approval.sign_in:
        sign_in.check_can_sign_in(new, "approvers.add")
    else:
        approvals.refuse_subjects(added)
    asked = [person for person in approval.asked() if person not in removed]
    least, people = approvals.least_approvers(approval.needs), len(asked) + len(new)
    if people < least:
        raise invalid(
            "approvers",
            f"all could answer and nothing be decided: at least {least} who may answer now must stay or be added, "
            f"and this leaves {people}",
        )
    if token.notify is not None:
        notices.check_reach(token.notify, new)
    if len(stay) + len(new) > MOST:
        raise invalid("approvers.add", f"at most {MOST} people are accepted at a time")
    if len(approval.everybody()) + len(approval.removed) + len(new) > MOST_EVER:
        raise invalid("approvers.add", f"at most {MOST_EVER} people in all are accepted, also those who were removed")
