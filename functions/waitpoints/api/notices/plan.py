"""What must still be sent about a token: from the token, its page, and the record of what was sent. Nothing here sends.

Each step is followed by its record and by another look at the token, so a step is found again until it is recorded, and what
has happened meanwhile is seen. Nobody is asked after the end: then messages that can be edited are, and nothing else is sent.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from waitpoints.api.page.approvers import Approver
from waitpoints.api.page.definition import Page
from waitpoints.notices import Channel, Notice, Notify
from waitpoints.token import Token

ENDED = "ended"


class Kind(StrEnum):
    """ASK is a place's first message, REMIND a reminder, LAST that one more answer is missing, EDIT a change of the first."""

    EDIT = "edit"
    ASK = "ask"
    REMIND = "remind"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message goes. `to` is an address, a Slack channel or member id, or the name of a secret.

    `person` is whose place it is; None for a channel, and for an address of `notify.email`.
    """

    key: str
    channel: Channel
    to: str
    person: Approver | None = None

    @property
    def is_edited(self) -> bool:
        return self.channel is Channel.SLACK


@dataclass(frozen=True, slots=True)
class Step:
    """One call to a channel. `done` is what to record after it, but for its time and the channel's name of the message.

    `ref` is how the channel names the place's first message, unless this is the first. Only that one is ever edited: so only
    an ASK may have buttons.
    """

    kind: Kind
    place: Place
    done: Notice
    ref: str | None = None


def next_step(token: Token, page: Page, notify: Notify, skip: Collection[str] = ()) -> Step | None:
    """Return what to do next, but nothing for the places to `skip`. None: everything is sent.

    The token is as of now: past its timeout it has ended. It was read with its notices.
    """
    steps = (step for place in places(token, page, notify) if place.key not in skip for step in _steps(token, page, place))
    return min(steps, key=lambda step: step.kind is not Kind.EDIT, default=None)


def state_of(token: Token) -> str:
    """Return what a message that is edited shows of a token."""
    if token.outcome is not None:
        return ENDED
    return f"{len(token.answers)}/{token.escalated_at is not None:d}/{token.timeout_at or 0}"


def places(token: Token, page: Page, notify: Notify) -> Iterator[Place]:
    """Yield the places of a token. Those of the people to whom it may be escalated are there once it is."""
    if notify.slack is not None:
        yield Place("slack", Channel.SLACK, notify.slack)
    if notify.teams is not None:
        yield Place("teams", Channel.TEAMS, notify.teams)
    if isinstance(notify.email, tuple):
        for number, address in enumerate(notify.email):
            yield Place(f"email.{number}", Channel.EMAIL, address)
    if page.approval is None:
        return
    asked = page.approval.asked(is_escalated=token.escalated_at is not None)
    for number, person in enumerate(asked):
        if notify.email is True and person.email is not None:
            yield Place(f"email.{number}", Channel.EMAIL, person.email, person)
        if notify.slack is not None and person.slack is not None:
            yield Place(f"slack.{number}", Channel.SLACK, person.slack, person)


def _steps(token: Token, page: Page, place: Place) -> Iterator[Step]:
    """Yield what a place lacks. One that refused something gets nothing more, but that its message shows the end."""
    notice, state = token.notices.get(place.key), state_of(token)
    shows, has_ended = state if place.is_edited else None, token.outcome is not None
    if notice is not None and notice.refused is not None and not has_ended:
        return
    if notice is not None and notice.ref is not None and place.is_edited and notice.shows != state:
        yield Step(Kind.EDIT, place, replace(notice, shows=shows), notice.ref)
    if has_ended or (place.person is not None and token.answer_of(place.person.id) is not None):
        return
    if notice is None:
        is_last = _is_last(token, page)
        yield Step(Kind.ASK, place, Notice(0, reminded=token.reminded_count, told_last=is_last, shows=shows))
    elif notice.reminded < token.reminded_count:
        told_last = notice.told_last or _is_last(token, page)
        yield Step(Kind.REMIND, place, replace(notice, reminded=token.reminded_count, told_last=told_last), notice.ref)
    elif place.person is not None and not notice.told_last and _is_last(token, page):
        yield Step(Kind.LAST, place, replace(notice, told_last=True), notice.ref)


def _is_last(token: Token, page: Page) -> bool:
    """Whether others have answered, and one more answer of the same kind decides."""
    chosen = [answer.action for answer in token.answers]
    return any(0 < chosen.count(action.id) == action.needs - 1 for action in page.actions)
