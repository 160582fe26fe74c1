"""What people are told, in memory: the queue, and a channel that keeps what it is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.aws.services.queues import DeadLetters, NoticeQueue


class FakeNoticeQueue(NoticeQueue):
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.unrecorded: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        """The ids of tokens whose messages SQS refuses within a notice that it accepts."""
        self.fails: Exception | None = None

    def send_all(self, token_ids: Sequence[str]) -> set[str]:
        if self.fails:
            raise self.fails
        self.sent += [token_id for token_id in token_ids if token_id not in self.refused]
        return self.refused.intersection(token_ids)

    def send_unrecorded(self, token_id: str, message: str) -> None:
        if self.fails:
            raise self.fails
        self.unrecorded.append((token_id, message))


class FakeDeadLetters(DeadLetters):
    """The dead letters about notices."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, str, str]] = []
        self.fails: Exception | None = None

    def put_notice(self, token_id: str, target: str, reason: str) -> None:
        if self.fails:
            raise self.fails
        self.notices.append((token_id, target, reason))


@dataclass(frozen=True)
class Sent:
    target: str
    kind: NoticeKind
    token_id: str = ""
    link: str | None = None
    ref: str | None = None


class FakeChannel:
    """A channel of every kind. `fails` are the errors of the next calls for a target, and `lost` their lost answers."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.requests: list[Notice] = []
        self.shown: dict[str, str | None] = {}
        """What each message shows that is there, as was to be recorded."""
        self.fails: dict[str, list[Exception]] = {}
        self.lost: dict[str, list[Exception]] = {}
        self.before: Callable[[Notice], object] = lambda _: None

    def send(self, notice: Notice) -> str | None:
        key = notice.target.key
        self.requests.append(notice)
        self.before(notice)
        if self.fails.get(key):
            raise self.fails[key].pop(0)
        own = f"{notice.target.to}/{len(self.requests)}"
        ref = notice.ref or own
        self.sent.append(Sent(key, notice.kind, notice.token.id, notice.link, ref))
        if notice.kind in (NoticeKind.FIRST, NoticeKind.EDIT):
            self.shown[ref] = notice.done.shows
        if self.lost.get(key):
            raise self.lost[key].pop(0)
        return ref if notice.kind is NoticeKind.EDIT else own  # a reminder is a message with a name of its own

    def kinds(self) -> list[tuple[str, NoticeKind]]:
        return [(one.target, one.kind) for one in self.sent]


def use(channel: FakeChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every notice sent over this channel, with the link "link"."""
    monkeypatch.setattr("waitpoints.api.notices.channels.channel_of", lambda _: channel)
    monkeypatch.setattr("waitpoints.api.notices.channels.link_of", lambda _: "link")
