"""The request to change who may answer a waiting token's page: the field `approvers` of `deadline_request`.

    {"add": [approver…], "remove": ["ann"]}    people as in `approver_checks`, and ids

Whoever is there already, with the same members, or is removed already, is passed over: so a request may be sent again. An id
that was removed cannot be added: its link, which somebody has, would answer again.
"""

from dataclasses import dataclass, replace
from typing import Any

from waitpoints import json_text
from waitpoints.api.page import approver_checks, definition, page_checks, shapes
from waitpoints.api.page.approver_checks import ID, MAX_APPROVERS, PEOPLE, canonical
from waitpoints.api.page.definition import Page
from waitpoints.api.page.shapes import Items, Members
from waitpoints.approvers import Approval, Approver
from waitpoints.aws.items import hand_over_map
from waitpoints.errors import HasAnswered, InvalidPage
from waitpoints.notices import Notify
from waitpoints.token import HandOver, Token
from waitpoints.unknown_names import shown

PATH = "approvers"
MAX_EVER = 40  # people of one token, also those who were removed
MAX_BYTES = 6_144  # of all hand-overs of one token: they are in its item, and again in its output
_SHAPE = Members({"add": PEOPLE, "remove": Items(ID, MAX_EVER, 1)})


@dataclass(frozen=True, slots=True)
class WantedHandOver:
    """What a request asks for. Its members have been checked alone."""

    add: tuple[Approver, ...]
    remove: tuple[str, ...]

    def of(self, token: Token, now: int, key: str | None) -> HandOver | None:
        """Return a waiting token's hand-over. None: it has been done. Raises InvalidPage, InvalidNotify and HasAnswered."""
        page = definition.of_token(token) if token.page else None
        if page is None or page.approval is None or page.approval.is_open:
            raise InvalidPage(PATH, "this waitpoint has no page that names its approvers")
        removed = self._removed(token, page.approval)
        added = self._added(page.approval, removed)
        if not added and not removed:
            return None
        hand_over = HandOver(tuple(person.members() for person, _ in added), tuple(removed), now, key)
        after = page.approval.after(hand_over)
        _check_people(token, page, after, added)
        _check_sizes(token, page, after, hand_over)
        return hand_over

    def _removed(self, token: Token, approval: Approval) -> list[str]:
        removed = list[str]()
        for number, written in enumerate(self.remove):
            person = _find(approval, written)
            if person is None:
                names = ", ".join(shown(one.id) for one in approval.everybody())
                raise InvalidPage(f"{PATH}.remove[{number}]", f"no approver has this id: expected one of {names}")
            if token.answer_of(person.id):
                raise HasAnswered(f"{shown(person.id)} has answered, and stays: only those who have not can be removed")
            if person in approval.everybody() and person.id not in removed:
                removed.append(person.id)
        return removed

    def _added(self, approval: Approval, removed: list[str]) -> list[tuple[Approver, str]]:
        """Return whom it adds, each with its path."""
        added = list[tuple[Approver, str]]()
        for number, person in enumerate(self.add):
            known, path = _find(approval, person.id), f"{PATH}.add[{number}]"
            if known is None:
                added.append((person, path))
            elif known.id in removed or known not in approval.everybody():
                raise InvalidPage(path, f"{shown(known.id)} is removed, and their link never answers again: choose another id")
            elif known != person:
                raise InvalidPage(
                    path, f"{shown(known.id)} is there already, with other members: remove them, and add another id"
                )
        return added


def parse(value: Any) -> WantedHandOver:
    """Return what a request asks for. Raises InvalidPage."""
    shapes.check_shape(value, _SHAPE, PATH)
    if not value:
        raise InvalidPage(PATH, "expected add, remove, or both")
    add = tuple(map(Approver.of, value.get("add", ())))
    for number, person in enumerate(add):
        page_checks.check_visible(f"{PATH}.add[{number}]", person.shown)
    approver_checks.check_different([(person, f"{PATH}.add[{number}]") for number, person in enumerate(add)])
    return WantedHandOver(add, tuple(value.get("remove", ())))


def _find(approval: Approval, written: str) -> Approver | None:
    """Return who has, or had, an id, however it is spelt."""
    return next((person for person in approval.ever if canonical(person.id) == canonical(written)), None)


def _check_people(token: Token, page: Page, after: Approval, added: list[tuple[Approver, str]]) -> None:
    """Check how those who may answer from now on go together, as a create does."""
    new = [person for person, _ in added]
    stay = [(person, shown(person.id)) for person in after.everybody() if person not in new]
    approver_checks.check_different([*stay, *added])
    approver_checks.check_requester(json_text.parse(token.page or "{}"), added)
    if page.sign_in:
        approver_checks.check_can_sign_in(new, f"{PATH}.add")
    elif subject := next((path for person, path in added if person.subject is not None), None):
        raise InvalidPage(f"{subject}.subject", "it needs page.signIn")
    least, people = approver_checks.least_approvers(action.needs for action in page.actions), len(after.who_may_answer(token))
    if people < least:
        raise InvalidPage(
            PATH,
            f"all could answer and nothing be decided: at least {least} who may answer now must stay or be added, "
            f"and this leaves {people}",
        )
    if token.notify is not None:
        from waitpoints.api.notices import notify_request

        notify_request.check_reach(Notify.of_text(token.notify), new)


def _check_sizes(token: Token, page: Page, after: Approval, hand_over: HandOver) -> None:
    if len(after.everybody()) > MAX_APPROVERS:
        raise InvalidPage(f"{PATH}.add", f"at most {MAX_APPROVERS} people are accepted at a time")
    if len(after.ever) > MAX_EVER:
        raise InvalidPage(f"{PATH}.add", f"at most {MAX_EVER} people in all are accepted, also those who were removed")
    size = len(json_text.dumps([hand_over_map(one) for one in (*token.hand_overs, hand_over)]).encode())
    if size > MAX_BYTES:
        raise InvalidPage(
            PATH, f"all hand-overs of a waitpoint may have {MAX_BYTES:,} bytes of JSON; with this one it has {size:,}"
        )
    page_checks.check_size(replace(page, approval=after))
