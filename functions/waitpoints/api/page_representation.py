"""What retrieve shows of a token's page: what it asks, who may answer, and what was sent about it."""

from typing import Any

from waitpoints.api.notices import plan
from waitpoints.api.page import definition
from waitpoints.api.page.definition import Page
from waitpoints.approvers import LinkOf, answer_members, hand_over_members
from waitpoints.json_text import present
from waitpoints.notices import NoticeRecord, Notify
from waitpoints.timers.reminders import escalation_at, next_reminder, plan_of
from waitpoints.token import Token, iso


def members(token: Token, page: str, link_of: LinkOf | None) -> dict[str, Any]:
    """Return the members of a token with this page. Some are None. `link_of` is that of `representation.retrieved`."""
    defined = definition.of_text(page, token.hand_overs)
    return {
        "page": present({"title": defined.title, "signIn": _sign_in(defined)}),
        "pageActions": [action.id for action in defined.actions],
        "reminders": _reminders(token) if defined.reminds else None,
        **_approval(token, defined, link_of),
        **(_notices(token, defined, token.notify) if token.notify else {}),
    }


def _sign_in(page: Page) -> Any:
    """Return whether people sign in, as a create says it. None: they do not."""
    rule = page.sign_in
    return rule and ({"domains": list(rule.domains)} if rule.domains else True)


def _approval(token: Token, page: Page, link_of: LinkOf | None) -> dict[str, Any]:
    if page.approval is None:
        return {}
    return {
        "needs": {action.id: action.needs for action in page.actions},
        "approvers": [person.members() for person in page.approval.approvers],
        "escalation": _escalation(token, page),
        "requestedBy": page.approval.requested_by,
        "links": link_of and page.approval.links(page.approval.everybody(), link_of),
        "answers": answer_members(token.answers),
        "handOvers": [hand_over_members(one) for one in token.hand_overs] or None,
    }


def _escalation(token: Token, page: Page) -> dict[str, Any] | None:
    at = escalation_at(token, plan_of(page.source))
    if at is None or page.approval is None or not page.approval.escalated_to:  # a hand-over may have removed them all
        return None
    to = [person.members() for person in page.approval.escalated_to]
    return {"at": iso(at), "to": to, **_instants(askedAt=token.escalated_at)}


def _reminders(token: Token) -> dict[str, Any]:
    following = next_reminder(token) if token.outcome is None else None
    return {"count": token.reminded_count, **_instants(lastAt=token.reminded_at, nextAt=following)}


def _notices(token: Token, page: Page, notify: str) -> dict[str, Any]:
    """Return who is notified, and what was sent to each target, in the order of the first notices."""
    wanted = Notify.of_text(notify)
    targets = plan.targets(token, page, wanted)
    found = [_notice(target, token.notices[target.key]) for target in targets if target.key in token.notices]
    return {"notify": wanted.shown_members(), "notices": found}


def _notice(target: plan.Target, notice: NoticeRecord) -> dict[str, Any]:
    """`reminders` is the number of the token's last reminder that the target knows of, `outcome` whether it got that."""
    return present(
        {
            "channel": target.channel,
            "to": target.to,
            "approver": target.approver,
            "status": "sent" if notice.refused is None else "refused",
            "at": iso(notice.at),
            "reminders": notice.reminded or None,
            "outcome": notice.notified_outcome or None,
            "reason": notice.refused,
        }
    )


def _instants(**instants: int | None) -> dict[str, str]:
    return {name: iso(at) for name, at in instants.items() if at is not None}
