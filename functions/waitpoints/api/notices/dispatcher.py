"""Send what must be sent about a token: look, take the next step, record it, and look again.

A look reads the token consistently. So a message that was posted while the token ended is edited at once, and no button
outlives the decision. A function that dies between a step and its record repeats this one step: whoever it asks is asked twice.
What a channel does not take keeps no other target waiting.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from waitpoints import json_text, telemetry
from waitpoints.api.notices import plan
from waitpoints.api.notices.plan import Kind, Step, Target
from waitpoints.api.page import definition
from waitpoints.api.page.definition import Page
from waitpoints.aws.dead_letters import DeadLetters
from waitpoints.errors import NotSent, NotSentNow, TokenNotFound
from waitpoints.notices import Channel, NoticeRecord, Notify
from waitpoints.ports import Clock, NoticeStore
from waitpoints.token import Token
from waitpoints.tokens import Tokens

CLAIMED_PAUSE = 5  # seconds until a token is looked at again that another function sends about


@dataclass(frozen=True, slots=True)
class Notice:
    """What a channel renders and sends: one step about a token. `link` is the reader's own, or the token's callback URL.

    None: nobody there can answer by a link.
    """

    step: Step
    token: Token
    page: Page
    link: str | None


class Sender(Protocol):
    """Sends to one channel."""

    def send(self, notice: Notice) -> str | None:
        """Send or edit a message in one call. Returns the channel's name of it. Raises NotSentNow or NotSent."""


class SendLater(Exception):
    """Not everything could be sent. The token's message comes again after so many seconds. None: as after other failures."""

    def __init__(self, after: int | None) -> None:
        super().__init__()
        self.after = after


SenderOf = Callable[[Channel], Sender]
"""Returns the sender of a channel. Raises NotSent if the stack does not have it, as after its parameter was taken away."""

LinkOf = Callable[[Token, Target, Page], str | None]
"""Returns the link that a target gets."""

MayGoOn = Callable[[], bool]
"""Whether there is time for another step."""


@dataclass(slots=True)
class _Run:
    """What one invocation could not send about a token, and why, by target. `has_letter`: it is a dead letter already."""

    has_letter: bool
    failed: dict[str, NotSentNow] = field(default_factory=dict)
    refused: dict[str, NotSent] = field(default_factory=dict)

    def note(self) -> None:
        """Name all of them in the log line. Nothing else keeps what may go well the next time."""
        for what, errors in (("refused", self.refused), ("failed", self.failed)):
            if errors:
                telemetry.note(**{what: ", ".join(errors)})
        reasons = {**self.refused, **self.failed}
        telemetry.note(reason="; ".join(f"{target}: {error}" for target, error in reasons.items()))

    def pause(self) -> int | None:
        """Return the seconds until every channel takes calls again, as far as they say."""
        return max((error.after for error in self.failed.values() if error.after is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Found:
    step: Step
    token: Token
    page: Page


class NoticeDispatcher:
    def __init__(
        self,
        tokens: Tokens,
        store: NoticeStore,
        sender_of: SenderOf,
        link_of: LinkOf,
        dead_letters: DeadLetters,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._store = store
        self._sender_of = sender_of
        self._link_of = link_of
        self._dead_letters = dead_letters
        self._clock = clock

    def send(self, token_id: str, may_go_on: MayGoOn) -> None:
        """Send all that is missing about a token. Raises SendLater. A message that came twice costs one read."""
        run = _Run(has_letter=False)
        self._send(token_id, may_go_on, run)
        if run.failed:
            raise SendLater(run.pause())

    def send_again(self, token_id: str, may_go_on: MayGoOn) -> int:
        """Send all that is missing, and also what was refused, for a redrive. Returns at how many targets that fails.

        The letters that it is about stay in their queue then, so it writes none.
        """
        token = self._find(token_id)
        if token is None:
            return 0
        self._store.ask_again(token)
        run = _Run(has_letter=True)
        try:
            self._send(token_id, may_go_on, run)
        except SendLater:
            return 1 + len(run.refused)
        return len(run.failed) + len(run.refused)

    def edit_unrecorded(self, token_id: str, message: str) -> None:
        """Have a message whose record was lost show the end of its token. While that waits, its buttons are right.

        `message` is "<channel>/<ts>", as of a click in Slack. Raises SendLater.
        """
        token = self._find(token_id)
        if token is None or token.page is None or token.outcome is None:
            return
        target = Target(Channel.SLACK, Channel.SLACK, message.partition("/")[0])
        step = Step(Kind.EDIT, target, NoticeRecord(0), message)
        notice = Notice(step, token, definition.of_token(token), None)
        try:
            self._sender_of(Channel.SLACK).send(notice)
        except NotSentNow as error:
            telemetry.note(failed=target.key, reason=str(error))
            raise SendLater(error.after) from error
        except NotSent as error:  # nobody can mend it, and it decides nothing
            telemetry.note(reason=str(error))

    def _send(self, token_id: str, may_go_on: MayGoOn, run: _Run) -> None:
        """Take every step but those that fail. One function at a time does (invariant 7)."""
        found = self._look(token_id, run)
        if found is None:
            return
        claim = self._store.claim(found.token, self._clock())
        if claim is None:
            raise SendLater(CLAIMED_PAUSE)
        try:
            while found := self._look(token_id, run):
                if not may_go_on():
                    raise SendLater(0)
                self._take(found, run)
        finally:
            self._free(token_id, claim)

    def _free(self, token_id: str, claim: int) -> None:
        """End a claim. If that fails, it ends by itself, and hides neither another error nor what must come again."""
        try:
            self._store.free(token_id, claim)
        except Exception as error:
            telemetry.note(notFreed=type(error).__name__)

    def _find(self, token_id: str) -> Token | None:
        try:
            return self._tokens.find(token_id)
        except TokenNotFound:
            return None

    def _look(self, token_id: str, run: _Run) -> _Found | None:
        token = self._find(token_id)
        if token is None or token.notify is None or token.page is None:
            return None
        page = definition.of_token(token)
        step = plan.next_step(token, page, Notify.of(json_text.parse(token.notify)), run.failed)
        return None if step is None else _Found(step, token, page)

    def _take(self, found: _Found, run: _Run) -> None:
        step, token = found.step, found.token
        try:
            notice = Notice(step, token, found.page, self._link_of(token, step.target, found.page))
            ref = self._sender_of(step.target.channel).send(notice)
        except NotSent as error:
            self._refuse(found, error, run)
        except Exception as error:  # a defect of one channel, or a secret that cannot be read, keeps no other target waiting
            self._fail(step, error if isinstance(error, NotSentNow) else NotSentNow(type(error).__name__), run)
        else:
            telemetry.count("NoticesSent")
            done = replace(step.done, ref=ref if step.kind is Kind.FIRST else step.ref, refused=None)
            self._record(found, done, run)

    def _refuse(self, found: _Found, error: NotSent, run: _Run) -> None:
        """Record that a target takes nothing. What it lacks, it still lacks: a redrive sends it."""
        step, token, reason = found.step, found.token, str(error)
        telemetry.count("NoticesRefused")
        run.refused[step.target.key] = error
        run.note()
        if not run.has_letter:
            self._dead_letters.put_notice(token.id, step.target.key, reason)
        before = token.notices.get(step.target.key, NoticeRecord(0))
        self._record(found, replace(before, shows=step.done.shows, refused=reason), run)

    def _fail(self, step: Step, error: NotSentNow, run: _Run) -> None:
        run.failed[step.target.key] = error
        run.note()

    def _record(self, found: _Found, record: NoticeRecord, run: _Run) -> None:
        target = found.step.target.key
        if not self._store.record(found.token.id, target, replace(record, at=self._clock())):
            self._fail(found.step, NotSentNow("NotRecorded"), run)  # else it would be found, and sent, for ever
