"""When a token is looked at next, what happens then, and how that instant is moved.

    dueAt at create      who sends the message to the timer queue
    within 15 minutes     the stream, for which the new item has a mark (`soon`)
    later                 the round of the timers, which finds the token in the index `due` (see `starter`)

`dueAt` is a token's next reminder, escalation or timeout, whichever is first (see `reminders`). The invariant: every waiting
token with one of them ahead is behind the cursor with a message sent, or ahead of it in the index, or has its message from the
stream. A message too many is harmless, one too few is a lost timer. So whatever sets an instant within 15 minutes, later in a
token's life, sends the message first and writes afterwards.

Lambda stops a chain of a function and its queue after some 16 rounds. A look sends a message only for an instant within 15
minutes, and of those a token has at most three in a row: reminders are an hour apart. The timers' round begins a new chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from waitpoints import telemetry
from waitpoints.errors import NotMovedYet, OutsideTag, attempts
from waitpoints.ports import Clock, Timer, TimerQueue, TokenStore
from waitpoints.token import NEAR, Token
from waitpoints.tokens import Tokens

PATIENCE = 60_000  # milliseconds from sending a message to the write of the instant that it names: no function runs so long


@dataclass(frozen=True, slots=True)
class Named:
    """The instant that a message names because its token may not have it yet, and when the message was sent."""

    instant: int
    sent_at: int


class Timers:
    def __init__(self, tokens: Tokens, store: TokenStore, queue: TimerQueue, clock: Clock) -> None:
        self._tokens = tokens
        self._store = store
        self._queue = queue
        self._clock = clock

    def start_new(self, tokens: Sequence[Token]) -> set[str]:
        """Send the messages of new tokens that the stream brings. Returns the ids of those that it must bring again.

        A token without a `due_at` is of an older version, and gets one.
        """
        now = self._clock()
        instants = [Timer(token.id, instant) for token in tokens if (instant := _first_due_at(token)) is not None]
        failed = self._queue.send_all([timer for timer in instants if timer.due_at - now <= NEAR], now)
        for token in tokens:
            if token.due_at is None and token.id not in failed:
                self._store.set_due_at(token, token.timeout_at)  # if it does not wait as it did, another function looks at it
        return failed

    def fire(self, token_id: str, named: Named | None = None) -> None:
        """Time a token out if it is due, or record that it is asked again, and see to it that it is looked at next.

        Raises NotMovedYet if a message names an instant that the token may yet get.
        """
        for _ in attempts("Other functions change the timeout of this token at the same moment"):
            token = self._tokens.expire(token_id)
            if token is None:
                return
            now = self._clock()
            if named and named.instant not in (token.due_at, token.timeout_at) and now < named.sent_at + PATIENCE:
                raise NotMovedYet
            if self._fire_later(token, now):
                return

    def move_deadline(self, token_id: str, timeout_at: int | None, within: str | None = None) -> bool:
        """Give a waiting token another timeout, or none. Returns False if it has ended or is due.

        Raises TokenNotFound, and OutsideTag if it lacks the tag `within`: no tag of a waiting token changes.
        What is stored beside it is first kept longer, so it is never gone while the token waits, wherever this ends. That is
        no transaction: a callback to a token in a transaction would fail.
        """
        for _ in attempts("Other requests change the timeout of this token at the same moment"):
            token = self._tokens.find(token_id)
            if within is not None and within not in token.tags:
                raise OutsideTag("create", within)
            if token.outcome is not None:
                return False
            if token.timeout_at is not None and (timeout_at is None or timeout_at > token.timeout_at):
                self._store.keep_longer(token, timeout_at)
            due_at, now = next_due_at(replace(token, timeout_at=timeout_at)), self._clock()
            if due_at is not None and due_at - now <= NEAR:
                self._queue.send(Timer(token_id, due_at), now, names_instant=True)
            if self._store.move_deadline(token, timeout_at, due_at, now):
                return True
        raise AssertionError("the last attempt raises")

    def _fire_later(self, token: Token, now: int) -> bool:
        """Have a waiting token looked at again. Returns False if its instants have changed since it was read."""
        if token.outcome_at(now) is not None:
            return False
        if token.due_at is not None and token.due_at > now:
            if token.due_at - now <= NEAR:  # else the index has it
                self._queue.send(Timer(token.id, token.due_at), now)
            return True
        asked = _ask(token, now)
        due_at = asked.due_at if asked else next_due_at(token)
        if asked is None and due_at == token.due_at:  # never
            return True
        if due_at is not None and due_at - now <= NEAR:
            self._queue.send(Timer(token.id, due_at), now)
        if asked is None:
            return self._store.set_due_at(token, due_at)
        telemetry.note(reminded=asked.reminded_count, escalated=asked.escalated_at is not None)
        return self._store.ask_again(token, asked)


def next_due_at(token: Token) -> int | None:
    """When a waiting token, read with its page, must be looked at next. None: never."""
    if token.page is None:
        return token.timeout_at
    from waitpoints.timers import reminders  # noqa: PLC0415 - only for tokens with a page

    return reminders.next_due_at(token)


def _ask(token: Token, now: int) -> Token | None:
    if token.page is None:
        return None
    from waitpoints.timers import reminders  # noqa: PLC0415 - only for tokens with a page

    return reminders.ask(token, now)


def _first_due_at(token: Token) -> int | None:
    return token.timeout_at if token.due_at is None else token.due_at
