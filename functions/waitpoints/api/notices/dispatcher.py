"""Send what is missing about a token: read it, send one notice, record that, and read it again.

Each read is consistent. So a message that was posted while the token ended is edited at once, and no button outlives the
decision. A function that dies between a notice and its record sends this one notice again. A target whose channel refuses a
message keeps no other target waiting.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.api.notices import channels, plan
from waitpoints.api.notices.plan import Notice, NoticeKind, Target
from waitpoints.api.page import definition
from waitpoints.aws.services.queues import DeadLetters
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.notices import Channel, NoticeRecord, Notify
from waitpoints.ports import Clock
from waitpoints.tokens import Tokens

if TYPE_CHECKING:
    from waitpoints.aws.notice_store import NoticeStore

CLAIMED_PAUSE = 5  # seconds until a token is read again that another function has claimed


@dataclass(slots=True)
class _Run:
    """What one invocation could not send about a token, and why, by target. A redrive puts no dead letters."""

    is_redrive: bool = False
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
        """Return the seconds until every channel accepts calls again, as far as they say."""
        return max((error.after for error in self.failed.values() if error.after is not None), default=None)


class NoticeDispatcher:
    """`has_time` says whether there is time for another notice."""

    def __init__(
        self, tokens: Tokens, store: "NoticeStore", dead_letters: DeadLetters, clock: Clock, has_time: Callable[[], bool]
    ) -> None:
        self._tokens = tokens
        self._store = store
        self._dead_letters = dead_letters
        self._clock = clock
        self._has_time = has_time

    def send(self, token_id: str) -> None:
        """Send all that is missing about a token. Raises NotSentNow. A message that came twice costs one read."""
        run = _Run()
        self._send(token_id, run)
        if run.failed:
            raise NotSentNow(", ".join(run.failed), run.pause())

    def send_again(self, token_id: str) -> int:
        """Send all that is missing, and also what was refused, for a redrive. Returns to how many targets that fails."""
        token = self._tokens.find_or_none(token_id)
        if token is None:
            return 0
        self._store.clear_refusals(token)
        run = _Run(is_redrive=True)
        try:
            self._send(token_id, run)
        except NotSentNow:
            return 1 + len(run.refused)
        return len(run.failed) + len(run.refused)

    def edit_unrecorded(self, token_id: str, message: str) -> None:
        """Have a message whose record was lost show the end of its token. While that waits, its buttons are right.

        `message` is "<channel>/<ts>", as of a click in Slack. Raises NotSentNow.
        """
        token = self._tokens.find_or_none(token_id)
        if token is None or token.page is None or token.outcome is None:
            return
        target = Target(Channel.SLACK, Channel.SLACK, message.partition("/")[0])
        page = definition.of_token(token).for_reader(None)
        notice = Notice(NoticeKind.EDIT, target, NoticeRecord(0), token, page, message)
        try:
            channels.channel_of(Channel.SLACK).send(notice)
        except NotSentNow as error:
            telemetry.note(failed=target.key, reason=str(error))
            raise
        except NotSent as error:  # no one can mend it, and it decides nothing
            telemetry.note(reason=str(error))

    def _send(self, token_id: str, run: _Run) -> None:
        """Send every notice but those that fail. One function at a time does (invariant 7)."""
        notice = self._next(token_id, run)
        if notice is None:
            return
        claim = self._store.claim(notice.token, self._clock())
        if claim is None:
            raise NotSentNow("Claimed", CLAIMED_PAUSE)
        try:
            while notice := self._next(token_id, run):
                if not self._has_time():
                    raise NotSentNow("NoTime", 0)
                self._send_one(notice, run)
        finally:
            try:
                self._store.free(token_id, claim)
            except Exception as error:  # it ends by itself, and hides neither another error nor what must come again
                telemetry.note(notFreed=type(error).__name__)

    def _next(self, token_id: str, run: _Run) -> Notice | None:
        token = self._tokens.find_or_none(token_id)
        if token is None or token.notify is None or token.page is None:
            return None
        page = definition.of_token(token)
        return plan.next_notice(token, page, Notify.of_text(token.notify), run.failed)

    def _send_one(self, notice: Notice, run: _Run) -> None:
        try:
            page = notice.page.for_reader(notice.target.person)
            ref = channels.channel_of(notice.target.channel).send(replace(notice, page=page, link=channels.link_of(notice)))
        except NotSent as error:
            self._refuse(notice, error, run)
        except Exception as error:  # a defect of one channel, or a secret that cannot be read, keeps no other target waiting
            self._fail(notice, error if isinstance(error, NotSentNow) else NotSentNow(type(error).__name__), run)
        else:
            telemetry.count("NoticesSent")
            first = ref if notice.kind is NoticeKind.FIRST else notice.ref
            self._record(notice, replace(notice.done, ref=first, refused=None), run)

    def _refuse(self, notice: Notice, error: NotSent, run: _Run) -> None:
        """Record that a target accepts nothing. What it lacks, it still lacks: a redrive sends it."""
        token, target, reason = notice.token, notice.target.key, str(error)
        telemetry.count("NoticesRefused")
        run.refused[target] = error
        run.note()
        if not run.is_redrive:
            self._dead_letters.put_notice(token.id, target, reason)
        before = token.notices.get(target, NoticeRecord(0))
        self._record(notice, replace(before, shows=notice.done.shows, refused=reason), run)

    def _fail(self, notice: Notice, error: NotSentNow, run: _Run) -> None:
        run.failed[notice.target.key] = error
        run.note()

    def _record(self, notice: Notice, record: NoticeRecord, run: _Run) -> None:
        if not self._store.record(notice.token.id, notice.target.key, replace(record, at=self._clock())):
            self._fail(notice, NotSentNow("NotRecorded"), run)  # else it would be found, and sent, for ever
