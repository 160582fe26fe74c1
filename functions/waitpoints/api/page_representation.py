"""What retrieve shows of a token's page: what it asks, who may answer, and what was sent about it."""

from typing import Any

from waitpoints.api.notices import plan
from waitpoints.api.page import definition
from waitpoints.api.page.definition import Page
from waitpoints.approvers import LinkOf, answer_members
from waitpoints.json_text import present
from waitpoints.notices import NoticeRecord, Notify
from waitpoints.timers.reminders import escalation_at, next_reminder, plan_of
from waitpoints.token import Token, iso


def members(token: Token, page: str, link_of: LinkOf | None) -> dict[str, Any]:
    """Return the members of a token with this page. Some are None. `link_of` is that of `representation.retrieved`.

    Of `notices`, the targets are in the order of their first notices.
    """
    defined = definition.of_text(page, token.hand_overs)
    rule = defined.sign_in
    signs_in = rule and ({"domains": list(rule.domains)} if rule.domains else True)  # as a create says it
    shown: dict[str, Any] = {
        "page": present({"title": defined.title, "signIn": signs_in}),
        "pageActions": [action.id for action in defined.actions],
        **_approval(token, defined, link_of),
    }
    if defined.reminds:
        following = next_reminder(token) if token.outcome is None else None
        shown["reminders"] = {"count": token.reminded_count, **_instants(lastAt=token.reminded_at, nextAt=following)}
    if token.notify:
        notify = Notify.of_text(token.notify)
        targets = [target for target in plan.targets(token, defined, notify) if target.key in token.notices]
        shown |= {"notify": notify.shown_members(), "notices": [_notice(it, token.notices[it.key]) for it in targets]}
    return shown


def _approval(token: Token, page: Page, link_of: LinkOf | None) -> dict[str, Any]:
    if page.approval is None:
        return {}
    escalation, to = None, [person.members() for person in page.approval.escalated_to]
    at = escalation_at(token, plan_of(page.source))
    if at is not None and to:  # a hand-over may have removed them all
        escalation = {"at": iso(at), "to": to, **_instants(askedAt=token.escalated_at)}
    return {
        "needs": {action.id: action.needs for action in page.actions},
        "approvers": [person.members() for person in page.approval.approvers],
        "escalation": escalation,
        "requestedBy": page.approval.requested_by,
        "links": link_of and page.approval.links(page.approval.everybody(), link_of),
        "answers": answer_members(token.answers),
        "handOvers": [one.shown_members() for one in token.hand_overs] or None,
    }


def _notice(target: plan.Target, notice: NoticeRecord) -> dict[str, Any]:
    status = "sent" if notice.refused is None else "refused"
    where = present({"channel": target.channel, "to": target.to, "approver": target.approver})
    return {**where, "status": status, "at": iso(notice.at), **notice.shown_members()}


def _instants(**instants: int | None) -> dict[str, str]:
    return {name: iso(at) for name, at in instants.items() if at is not None}
