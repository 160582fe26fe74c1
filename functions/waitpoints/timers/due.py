"""When a token is due, what happens then, and how that instant is moved.

    dueAt at create       who sends the message to the timer queue
    within 15 minutes     the stream, for which the new item has a mark (`soon`)
    later                 the timers' run of each minute, which finds the token in the index `due` (see `starter`)

`dueAt` is a token's next reminder, escalation or timeout, whichever is first (see `reminders`). The invariant: every waiting
token with one of them ahead is behind the cursor with a message sent, or ahead of it in the index, or has its message from the
stream. Sending a message twice is harmless. Missing one loses a timer. So whatever sets an instant within 15 minutes, later in
a token's life, sends the message first and writes afterwards.

Lambda stops a chain of a function and its queue after some 16 invocations. A timer that fires sends a message only for an
instant within 15 minutes, and a token has at most three of those in a row: reminders are an hour apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.access.caller import ROOT, Caller
from waitpoints.errors import Forbidden, NotMovedYet, WrittenLater, attempts
from waitpoints.ports import Clock, Timer
from waitpoints.token import NEAR, Token
from waitpoints.tokens import Tokens

if TYPE_CHECKING:
    from waitpoints.aws.services.queues import TimerQueue
    from waitpoints.aws.store import Store

PATIENCE = 60_000  # milliseconds from sending a message to the write of the instant that it names: no function runs so long


@dataclass(frozen=True, slots=True)
class Named:
    """The instant that a message names because its token may not have it yet, and when the message was sent."""

    instant: int
    sent_at: int


class Timers:
    def __init__(self, tokens: Tokens, store: "Store", queue: "TimerQueue", clock: Clock) -> None:
        self._tokens = tokens
        self._store = store
        self._queue = queue
        self._clock = clock

    def start_new(self, tokens: Sequence[Token]) -> set[str]:
        """Send the messages of new tokens that are due soon. Returns the ids of those that the stream must bring again."""
        return self._queue.send_all([Timer(it.id, it.due_at) for it in tokens if it.due_at is not None], self._clock())

    def fire(self, token_id: str, named: Named | None = None) -> None:
        """Time a token out if its timeout is due, or record a reminder, and start its next timer.

        Raises NotMovedYet if a message names an instant that the token may yet get. A later version's token is only counted.
        """
        try:
            self._fire(token_id, named)
        except WrittenLater:
            telemetry.count("TokensWrittenLater")

    def _fire(self, token_id: str, named: Named | None) -> None:
        for _ in attempts("Other functions change the timeout of this token at the same moment"):
            token = self._tokens.expire(token_id)
            if token is None:
                return
            now = self._clock()
            if named and named.instant not in (token.due_at, token.timeout_at) and now < named.sent_at + PATIENCE:
                raise NotMovedYet
            if self._go_on(token, now):
                return

    def move_deadline(self, token_id: str, timeout_at: int | None, caller: Caller = ROOT) -> bool:
        """Give a waiting token another timeout, or none. Returns False if it has ended or is due.

        Raises TokenNotFound, and OutsideTag if it lacks the tag that limits the caller: no tag of a waiting token changes.
        What is stored beside it is first kept longer, so it is never gone while the token waits, wherever this ends. That is
        no transaction: a callback to a token in a transaction would fail.
        """
        for _ in attempts("Other requests change the timeout of this token at the same moment"):
            token = self._tokens.find(token_id)
            caller.check("create", token.tags)
            token.check_version()
            if token.outcome is not None:
                return False
            if caller.is_person and token.rules and token.rules.has_sign_in and is_sooner(timeout_at, token.timeout_at):
                raise Forbidden("A session of the console does not end a page with signIn, nor sooner than it would")
            if token.timeout_at is not None and (timeout_at is None or timeout_at > token.timeout_at):
                self._store.keep_longer(token, timeout_at)
            due_at, now = next_due_at(replace(token, timeout_at=timeout_at)), self._clock()
            if due_at is not None and due_at - now <= NEAR:
                self._queue.send(Timer(token_id, due_at), now, names_instant=True)
            if self._store.move_deadline(token, timeout_at, due_at, now):
                return True
        raise AssertionError("the last attempt raises")

    def _go_on(self, token: Token, now: int) -> bool:
        """Record a reminder that is due, and start the next timer. Returns False if the token has changed since the read."""
        if token.outcome_at(now) is not None:
            return False
        reminded = _remind(token, now)
        due_at = (reminded or token).due_at
        if due_at is not None and now < due_at <= now + NEAR:  # else the index has it
            self._queue.send(Timer(token.id, due_at), now)
        if reminded is None:
            return True
        telemetry.note(reminded=reminded.reminded_count, escalated=reminded.escalated_at is not None)
        return self._store.remind(token, reminded)


def is_sooner(one: int | None, other: int | None) -> bool:
    """Whether a timeout comes before another one. None never comes."""
    return one is not None and (other is None or one < other)


def next_due_at(token: Token) -> int | None:
    """When the next timer of a waiting token, read with its page, fires. None: never."""
    if token.page is None:
        return token.timeout_at
    from waitpoints.timers import reminders

    return reminders.next_due_at(token)


def _remind(token: Token, now: int) -> Token | None:
    if token.page is None:
        return None
    from waitpoints.timers import reminders

    return reminders.remind(token, now)
