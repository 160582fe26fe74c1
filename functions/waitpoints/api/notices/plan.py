"""What must still be sent about a token: from the token, its page, and the record of what was sent. Nothing here sends.

After each notice its record is written and the token is read again. So a notice is found again until it is recorded, and
changes are seen. After the end, messages in Slack are edited, people get the outcome if they are to, and nothing else is sent.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from waitpoints.api.page.definition import Page
from waitpoints.approvers import Approver
from waitpoints.notices import Channel, NoticeRecord, Notify
from waitpoints.token import Token

ENDED, REMOVED = "ended", "removed"
REQUESTER = "requester"  # in a target's key


class NoticeKind(StrEnum):
    """FIRST is a target's first message, which EDIT changes. LAST: one more answer is missing. OUTCOME: how the token ended."""

    EDIT = "edit"
    FIRST = "first"
    REMINDER = "reminder"
    LAST = "last"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes. `to` is an address, a Slack channel or member id, or the name of a secret.

    `person` is whose target it is; None for a channel, and for an address of `notify.email`.
    """

    key: str
    channel: Channel
    to: str
    person: Approver | None = None

    @property
    def approver(self) -> str | None:
        """The approver's id, if it is one's."""
        return None if self.person is None or self.key.endswith(REQUESTER) else self.person.id

    @property
    def is_edited(self) -> bool:
        return self.channel is Channel.SLACK


@dataclass(frozen=True, slots=True)
class Notice:
    """One call to a channel about a token. `done` is what to record after it, but for its time and `ref`.

    `ref` is how the channel names the target's first message, unless this is the first. Only that one is ever edited: so only
    a FIRST may have buttons. `link` is the reader's own, or the token's callback URL. None: no one there can answer by a link.
    """

    kind: NoticeKind
    target: Target
    done: NoticeRecord
    token: Token
    page: Page
    ref: str | None = None
    link: str | None = None


def next_notice(token: Token, page: Page, notify: Notify, skip: Collection[str] = ()) -> Notice | None:
    """Return what to send next, but nothing to the targets to `skip`. None: everything is sent.

    The token is as of now: past its timeout it has ended. It was read with its notices.
    """
    wanted = (target for target in targets(token, page, notify) if target.key not in skip)
    found = (notice for target in wanted for notice in _missing(token, page, notify, target))
    return min(found, key=lambda notice: notice.kind is not NoticeKind.EDIT, default=None)


def state_of(token: Token) -> str:
    """Return what a message that is edited shows of a token."""
    if token.outcome is not None:
        return ENDED
    handed_over = f"/{len(token.hand_overs)}" if token.hand_overs else ""
    return f"{len(token.answers)}/{token.escalated_at is not None:d}/{token.timeout_at or 0}{handed_over}"


def targets(token: Token, page: Page, notify: Notify) -> Iterator[Target]:
    """Yield the targets of a token, also of who was removed. Those of whom it may be escalated to are there once it is.

    Those of who asked for an answer are there after the end, if they get the outcome.
    """
    if notify.slack is not None:
        yield Target("slack", Channel.SLACK, notify.slack)
    if notify.teams is not None:
        yield Target("teams", Channel.TEAMS, notify.teams)
    if isinstance(notify.email, tuple):
        for number, address in enumerate(notify.email):
            yield Target(f"email.{number}", Channel.EMAIL, address)
    if page.approval is None:
        return
    asked = page.approval.who_may_answer(token)
    for number, person in enumerate(page.approval.ever):
        if person in asked or token.has_removed(person.id):
            yield from _ways(number, person, notify)
    if notify.outcome and token.outcome is not None:
        from waitpoints.api.page.approver_checks import canonical, requester_of

        named = {canonical(address) for address in notify.email} if isinstance(notify.email, tuple) else set[str]()
        requester = requester_of(page.approval)
        if requester and requester not in asked and canonical(requester.id) not in named:
            yield from _ways(REQUESTER, requester, notify)


def _ways(key: int | str, person: Approver, notify: Notify) -> Iterator[Target]:
    """Yield each way to a person."""
    if notify.email and person.email is not None:
        yield Target(f"email.{key}", Channel.EMAIL, person.email, person)
    if notify.slack is not None and person.slack is not None:
        yield Target(f"slack.{key}", Channel.SLACK, person.slack, person)


def _missing(token: Token, page: Page, notify: Notify, target: Target) -> Iterator[Notice]:
    """Yield what a target lacks. One that refused something gets nothing more, but that its message shows the end."""
    record, state = token.notices.get(target.key), state_of(token)
    person = target.approver
    is_removed = person is not None and token.has_removed(person)
    if is_removed:
        state = REMOVED
    shows, has_ended = state if target.is_edited else None, token.outcome is not None
    if record is not None and record.refused is not None and not has_ended:
        return
    if record is not None and record.ref is not None and target.is_edited and record.shows != state:
        yield Notice(NoticeKind.EDIT, target, replace(record, shows=shows), token, page, record.ref)
    if token.outcome is not None and not token.is_due:  # it cannot be taken back, so it waits until the end is stored
        known = record or NoticeRecord(0)
        is_told = known.notified_outcome or known.refused is not None
        if not is_removed and not is_told and notify.sends_outcome_to(target.key):
            yield Notice(NoticeKind.OUTCOME, target, replace(known, notified_outcome=True), token, page, known.ref)
    if has_ended or is_removed or (person is not None and token.answer_of(person) is not None):
        return
    if record is None:
        first = NoticeRecord(0, reminded=token.reminded_count, notified_last=_is_last(token, page), shows=shows)
        yield Notice(NoticeKind.FIRST, target, first, token, page)
    elif record.reminded < token.reminded_count:
        is_last = record.notified_last or _is_last(token, page)
        done = replace(record, reminded=token.reminded_count, notified_last=is_last)
        yield Notice(NoticeKind.REMINDER, target, done, token, page, record.ref)
    elif person is not None and not record.notified_last and _is_last(token, page):
        yield Notice(NoticeKind.LAST, target, replace(record, notified_last=True), token, page, record.ref)


def _is_last(token: Token, page: Page) -> bool:
    """Whether others have answered, and one more answer of the same kind decides."""
    chosen = [answer.action for answer in token.answers]
    return any(0 < chosen.count(action.id) == action.needs - 1 for action in page.actions)
