"""By which URL a token is answered: its own, or the link of one of its approvers."""

from typing import TYPE_CHECKING

from waitpoints_client.cli.problems import USAGE, CommandProblem

if TYPE_CHECKING:
    from waitpoints_client.models import Token


def url_of(token: "Token", approver: str | None) -> str:
    """Return a token's callback URL, or the link of an approver. Raises CommandProblem unless it is clear whose."""
    if not token.approvers:
        if approver is not None:
            raise CommandProblem(f"{token.id} names no approvers, so --as {approver} is nobody's link", USAGE)
        return token.url
    if approver is None and len(token.approvers) == 1:
        approver = token.approvers[0].id
    links = {link.approver: link.url for link in token.links}
    if approver is None:
        raise CommandProblem(f"Each approver has a link of their own, so say whose: --as {_one_of(links)}", USAGE)
    if approver not in links:
        raise CommandProblem(f"{approver} is no approver of {token.id}: say --as {_one_of(links)}", USAGE)
    return links[approver]


def _one_of(links: dict[str, str]) -> str:
    *others, last = links
    return f"{', '.join(others)} or {last}" if others else last
