"""People who are told of tokens: their channels, whose every call may fail, and what must be true of them in the end."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

from tests.support.faults.aws import client
from tests.support.faults.wire import NotAnswered
from tests.support.faults.world import World
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import CHANNELS, Template
from waitpoints.api.notices import plan
from waitpoints.api.notices.plan import ENDED, REMOVED, Notice, NoticeKind
from waitpoints.api.page import definition, page_checks
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.notices import Channel, Notify
from waitpoints.timers.reminders import plan_of
from waitpoints.token import Document, DocumentKind, NewToken, Rules, Token
from waitpoints.wiring import services

RETRY_AFTER = 30  # seconds
UNRECORDED = "C01/17.4"  # a message in Slack whose record was lost
ADDRESS, MEMBER, CHANNEL = "ann@example.com", "U01BO", "#deploys"
NOTIFY: dict[str, Any] = {"email": True, "slack": CHANNEL}
PAGE: dict[str, Any] = {
    "title": "Deploy?",
    "approvers": [{"id": "ann", "email": ADDRESS}, {"id": "bo", "slack": MEMBER}],
    "actions": [{"id": "go", "label": "Go", "needs": 2}, {"id": "stop", "label": "Stop"}],
    "remind": ["2h"],
    "escalate": {"after": "2h", "to": [{"id": "lea", "email": "lea@example.com"}]},
}
GO, STOP = ('{"action":"%s","fields":{}}' % action for action in ("go", "stop"))  # noqa: UP031 - it has braces


@dataclass(frozen=True)
class Message:
    """What reached a target. `is_late`: its token had ended when it was made."""

    token_id: str
    target: str
    channel: Channel
    kind: NoticeKind
    ref: str
    is_late: bool


class Post:
    """Every channel. A message reaches its target, or an edit its message, even if the answer is lost."""

    def __init__(self, world: "NoticeWorld") -> None:
        self._world = world
        self.messages: list[Message] = []
        self.shown: dict[str, str | None] = {}
        """What each message in Slack shows that may have buttons."""
        self.refuses: set[str] = set()
        """Places that take nothing, whenever they are asked."""
        self.busy_until: dict[str, int] = {}
        """Until when a channel takes no call, if it takes one a second."""
        self.takes_one_a_second = False

    def channel_of(self, _: Channel) -> "Post":
        return self

    def send(self, notice: Notice) -> str:
        target, now = notice.target, self._world.clock()
        is_late = notice.token.outcome is not None
        if target.key in self.refuses:
            return self._world.wire.call(f"{target.channel}.{notice.kind}", self._refuse)
        if self.takes_one_a_second and self.busy_until.get(target.to, 0) > now:
            raise NotSentNow("ratelimited", after=1)

        def reach() -> str:
            ref = notice.ref or f"{target.to}/{len(self.messages)}"
            self.messages.append(Message(notice.token.id, target.key, target.channel, notice.kind, ref, is_late))
            if target.is_edited and notice.kind in (NoticeKind.FIRST, NoticeKind.EDIT):
                self.shown[ref] = notice.done.shows or plan.state_of(notice.token)
            self.busy_until[target.to] = now + 1000
            return ref

        try:
            return self._world.wire.call(f"{target.channel}.{notice.kind}", reach)
        except NotAnswered as failure:
            raise NotSentNow(str(failure), after=RETRY_AFTER if "throttled" in str(failure) else None) from None

    def _refuse(self) -> str:
        raise NotSent("channel_not_found")

    def asked(self, token_id: str) -> Counter[str]:
        """How often each target was asked for a token."""
        return Counter(it.target for it in self.messages if (it.token_id, it.kind) == (token_id, NoticeKind.FIRST))


class NoticeWorld(World):
    """A stack with channels, and the people whom it tells."""

    def __init__(self, stack: MotoStack) -> None:
        template = Template.load(CHANNELS)
        super().__init__(MotoStack(template, stack.resources))
        self.post = Post(self)
        self.told: list[str] = []
        """The ids of the tokens of which people are told."""
        self.may_repeat = 0
        """How many steps may be repeated, because an answer or a record was lost."""
        self.has_letters = False
        """Whether something was refused."""
        self.notices = self.queues["send_notices"]

    @property
    def received(self) -> Counter[str]:
        """How often each message of the notice queue was received, by its id."""
        events = [event for name, event in self.lambdas.events if name == "send_notices"]
        return Counter(record["messageId"] for event in events for record in event.get("Records", []))

    @contextmanager
    def alive(self) -> Iterator[None]:
        with ExitStack() as until_the_end:
            enter = until_the_end.enter_context
            enter(mock.patch.dict(os.environ, {"NOTICE_QUEUE_URL": self.queue_urls["NoticeQueue"]}))
            enter(self.written_by_the_clock())
            enter(mock.patch("waitpoints.api.notices.channels.channel_of", self.post.channel_of))
            enter(super().alive())
            yield

    def ask(self, notify: dict[str, Any] = NOTIFY, timeout: int | None = None, **page: Any) -> dict[str, Any]:
        """Create a token of which people are told. Returns what a create answers."""
        shown, now = {**PAGE, **page}, self.clock()
        document = Document(DocumentKind.PAGE, page_checks.parse(shown)[1], json.dumps(notify))
        first = plan_of(shown)
        new = NewToken(
            rules=Rules(has_approvers=True),
            document=document,
            timeout_at=None if timeout is None else now + timeout,
            first_ask=now + min(it for it in (*first.reminders, first.escalation) if it is not None),
        )
        token_id = services.tokens.create(new, now).token_id
        approval = definition.of_text(document.text).approval
        assert approval
        links = approval.links(approval.everybody(), partial(services.urls.url, token_id, services.api_url))
        token: dict[str, Any] = {"id": token_id, "url": services.urls.url(token_id, services.api_url), "links": links}
        self.tokens.append(token)
        self.urls += [token["url"], *(link["url"].partition("?")[0] for link in links)]
        self.told.append(token_id)
        return token

    def deliver_all(self) -> None:
        """Let time pass until the notice queue is empty."""
        self.come_to_rest()
        while waiting := self.notices.queue._messages:
            assert max(self.received.values(), default=0) < 100, "the queue gives up"
            self.clock.now = max(self.clock.now + 1, int(min(it.visible_at for it in waiting)) + 1)
            while self.notices.pass_on():
                pass
        self.come_to_rest()

    def letters(self) -> list[dict[str, str]]:
        """The dead letters about notices."""
        found = (
            client("sqs")
            .receive_message(QueueUrl=self.dead_letter_queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
            .get("Messages", [])
        )
        return [json.loads(message["Body"]) for message in found]

    def lost(self) -> list[str]:
        problems = super().lost()
        for token_id in self.told:
            problems += self._wrong_with_notices(services.store.get(token_id))
        logged = self.log.getvalue()
        problems += [f"the log has {text}" for text in (ADDRESS, MEMBER, CHANNEL) if text in logged]
        too_many = sum(its - 1 for its in Counter((it.token_id, it.target, it.kind) for it in self._once()).values())
        if too_many > self.may_repeat:
            problems.append(f"{too_many} messages were repeated, and not {self.may_repeat}")
        if self.letters() and not self.has_letters:
            problems.append(f"there are dead letters: {self.letters()}")
        return problems

    def _once(self) -> list[Message]:
        """What each target must get once."""
        return [it for it in self.post.messages if it.kind in (NoticeKind.FIRST, NoticeKind.LAST, NoticeKind.OUTCOME)]

    def _wrong_with_notices(self, token: Token) -> Iterator[str]:
        mine = [it for it in self.post.messages if it.token_id == token.id and it.ref != UNRECORDED]
        if any(it.is_late and it.kind not in (NoticeKind.EDIT, NoticeKind.OUTCOME) for it in mine):
            yield f"somebody was asked after the end of {token.id}"
        for key in {it.target for it in mine}:
            if next(it for it in mine if it.target == key).kind not in (NoticeKind.FIRST, NoticeKind.OUTCOME):
                yield f"{token.id} was not asked first at {key}"
        page, notify = definition.of_token(token), Notify.of(json.loads(token.notify or "{}"))
        asked, has_ended = self.post.asked(token.id), token.outcome_at(self.clock()) is not None
        told = {it.target for it in mine if it.kind is NoticeKind.OUTCOME}
        targets = list(plan.targets(token, page, notify))
        removed = {it.key for it in targets if it.person and token.has_removed(it.person.id)}
        due = {it.key for it in targets if token.outcome is not None and notify.sends_outcome_to(it.key)} - removed
        if told != due:
            yield f"the outcome of {token.id} was sent to {told}, and not to {due}"
        for target in targets:
            has_answered = target.person is not None and token.answer_of(target.person.id) is not None
            needs_none = has_ended or has_answered or target.key in {*removed, *self.post.refuses}
            if not (asked[target.key] or needs_none):
                yield f"nobody was asked at {target.key} of {token.id}"
        recorded = {notice.ref for notice in token.notices.values()}
        state = ENDED if has_ended else plan.state_of(token)
        firsts = {it.ref: REMOVED if it.target in removed else state for it in mine if it.kind is NoticeKind.FIRST}
        wrong = [ref for ref, expected in firsts.items() if self.post.shown.get(ref, expected) != expected]
        yield from (f"{ref} of {token.id} does not show {state}" for ref in wrong if ref in recorded)
        unrecorded = len([ref for ref in wrong if ref not in recorded])
        if unrecorded > self.may_repeat:
            yield f"{unrecorded} messages of {token.id} have no record"
