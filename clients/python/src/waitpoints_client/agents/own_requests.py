"""Which requests a program has made itself: another key of the stack can create one that looks like its own."""

from collections.abc import Mapping
from typing import Any

from waitpoints_client.asking import People
from waitpoints_client.models import Approver, SignInDomains, Token


def is_own(token: Token, people: People, key_name: str | None) -> bool:
    """Whether a token asks these people and nobody else and, if the program knows the name of its key, that key made it.

    Without the name, a token that was handed over is nobody's: whoever may create one may hand it over, too.
    """
    if token.page is None or token.escalation is not None or key_name not in (None, token.created_by):
        return False
    if _sign_in(token.page.sign_in) != _sign_in(people.get("sign_in")):
        return False
    asked = people.get("approvers") or ()
    if token.hand_overs:
        return key_name is not None and _before(token) == {one if isinstance(one, str) else one["id"] for one in asked}
    found = {person.id: person for person in token.approvers}
    return len(found) == len(token.approvers) == len(asked) and all(_is_of(found, one) for one in asked)


def _before(token: Token) -> set[str]:
    """Return the ids of those who were asked at first."""
    ids = {person.id for person in token.approvers}
    for change in reversed(token.hand_overs):
        ids = (ids - {*change.added}) | {*change.removed}
    return ids


def _is_of(found: Mapping[str, Approver], written: Any) -> bool:
    """Whether these are those whom `written` asks. A text is an id, and also an address if it is one."""
    if not isinstance(written, str):
        return found.get(written["id"]) == Approver.model_validate(written)
    return found.get(written) in (Approver(id=written), Approver(id=written, email=written))


def _sign_in(written: Any) -> Any:
    domains = written.domains if isinstance(written, SignInDomains) else written["domains"] if isinstance(written, dict) else ()
    return sorted(domain.casefold() for domain in domains) or bool(written)
