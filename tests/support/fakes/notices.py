"""What people are told, in memory: the table with its record, the queue, and a channel that keeps what it is given."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from tests.support.fakes.store import MemoryStore
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.aws.notice_store import CLAIMED_FOR
from waitpoints.aws.services.queues import DeadLetters
from waitpoints.notices import NoticeRecord, Notify
from waitpoints.token import Token


class MemoryTokens(MemoryStore):
    """The tokens in memory, with what was sent about each."""

    def __init__(self, retention_seconds: int) -> None:
        super().__init__(retention_seconds)
        self.notices: dict[str, dict[str, NoticeRecord]] = {}
        self.reads = 0

    def get(self, token_id: str) -> Token:
        self.reads += 1
        return replace(super().get(token_id), notices=dict(self.notices.get(token_id, {})))


class MemoryNoticeStore:
    """What `waitpoints.aws.notice_store.NoticeStore` does. `fails` are the errors of its next calls, by method."""

    def __init__(self, tokens: MemoryTokens) -> None:
        self._records = tokens.notices
        self._claims: dict[str, int] = {}
        self._lock = threading.Lock()
        self.fails: dict[str, list[Exception]] = {}

    def claim(self, token: Token, now: int) -> int | None:
        with self._lock:
            self._fail("claim")
            if self._claims.get(token.id, 0) > now:
                return None
            self._records.setdefault(token.id, {})
            self._claims[token.id] = now + CLAIMED_FOR
            return self._claims[token.id]

    def record(self, token_id: str, target: str, notice: NoticeRecord) -> bool:
        with self._lock:
            self._fail("record")
            if token_id not in self._records:
                return False
            self._records[token_id][target] = notice
            return True

    def free(self, token_id: str, claim: int) -> None:
        with self._lock:
            self._fail("free")
            if self._claims.get(token_id) == claim:
                del self._claims[token_id]

    def clear_refusals(self, token: Token) -> None:
        with self._lock:
            notify = Notify.of_text(token.notify or "{}")
            for target, notice in token.notices.items():
                gets_more = token.outcome is None or notify.sends_outcome_to(target)
                if notice.refused is not None and notice.ref is not None:
                    self._records[token.id][target] = replace(notice, refused=None, shows=None)
                elif notice.refused is not None and gets_more:
                    self._records[token.id].pop(target, None)

    def remove(self, token_id: str) -> None:
        del self._records[token_id]

    def is_claimed(self, token_id: str) -> bool:
        return token_id in self._claims

    def _fail(self, method: str) -> None:
        if self.fails.get(method):
            raise self.fails[method].pop(0)


class FakeNoticeQueue:
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
