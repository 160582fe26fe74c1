"""When a token is looked at next, what happens then, and how that instant is moved.

    wakeAt at create      who sends the message to the timer queue
    within 15 minutes     the stream, for which the new item has a mark (`soon`)
    later                 the round of the timers, which finds the token in the index `due` (see `starting`)

The invariant: every waiting token with a timeout is behind the cursor with a message sent, or ahead of it in the index, or has
its message from the stream. A message too many is harmless, one too few is a lost timer. So whatever sets an instant within 15
minutes, later in a token's life, sends the message first and writes afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from waitpoints.errors import NotMovedYet, TryAgain
from waitpoints.ports import Timer, TimerQueue, TokenStore
from waitpoints.resuming import Clock
from waitpoints.token import NEAR, Token
from waitpoints.tokens import Tokens

PATIENCE = 60_000  # milliseconds from sending a message to the write of the instant that it names: no function runs so long
_ATTEMPTS = 10  # each further attempt means that another function has just changed the token's instants


@dataclass(frozen=True, slots=True)
class Named:
    """The instant that a message names because its token may not have it yet, and when the message was sent."""

    instant: int
    sent_at: int


class Waking:
    def __init__(self, tokens: Tokens, store: TokenStore, queue: TimerQueue, clock: Clock) -> None:
        self._tokens = tokens
        self._store = store
        self._queue = queue
        self._clock = clock

    def start_new(self, tokens: Sequence[Token]) -> set[str]:
        """Send the messages of new tokens that the stream brings. Returns the ids of those that it must bring again.

        A token without a `wake_at` is of an older version, and gets one.
        """
        now = self._clock()
        instants = [Timer(token.id, instant) for token in tokens if (instant := _next_look(token)) is not None]
        failed = self._queue.send_all([timer for timer in instants if timer.wake_at - now <= NEAR], now)
        for token in tokens:
            if token.wake_at is None and token.id not in failed:
                self._store.set_wake(token, token.timeout_at)  # if it does not wait as it did, another function looks at it
        return failed

    def look(self, token_id: str, named: Named | None = None) -> None:
        """Time a token out if it is due, else see to it that it is looked at when it is.

        Raises NotMovedYet if a message names an instant that the token may yet get.
        """
        for _ in range(_ATTEMPTS):
            token = self._tokens.expire(token_id)
            if token is None:
                return
            now = self._clock()
            if named and named.instant not in (token.wake_at, token.timeout_at) and now < named.sent_at + PATIENCE:
                raise NotMovedYet
            if self._look_later(token, now):
                return
        raise TryAgain("Other functions change the timeout of this token at the same moment")

    def move_deadline(self, token_id: str, timeout_at: int | None) -> bool:
        """Give a waiting token another timeout, or none. Returns False if it has ended or is due. Raises TokenNotFound.

        What is stored beside it is first kept longer, so it is never gone while the token waits, wherever this ends. That is
        no transaction: a callback to a token in a transaction would fail.
        """
        for _ in range(_ATTEMPTS):
            token = self._tokens.find(token_id)
            if token.outcome is not None:
                return False
            if token.timeout_at is not None and (timeout_at is None or timeout_at > token.timeout_at):
                self._store.keep_longer(token, timeout_at)
            wake_at, now = _earlier(_other_look(token), timeout_at), self._clock()
            if wake_at is not None and wake_at - now <= NEAR:
                self._queue.send(Timer(token_id, wake_at), now, names_instant=True)
            if self._store.move_deadline(token, timeout_at, wake_at, now):
                return True
        raise TryAgain("Other requests change the timeout of this token at the same moment")

    def _look_later(self, token: Token, now: int) -> bool:
        """Have a waiting token looked at again. Returns False if its instants have changed since it was read."""
        if token.wake_at is not None and token.wake_at > now:
            if token.wake_at - now <= NEAR:  # else the index has it
                self._queue.send(Timer(token.id, token.wake_at), now)
            return True
        if token.wake_at is None and token.timeout_at is None:
            return True
        if token.timeout_at is not None and token.timeout_at - now <= NEAR:
            self._queue.send(Timer(token.id, token.timeout_at), now)
        return self._store.set_wake(token, token.timeout_at)


def _other_look(token: Token) -> int | None:
    """When a token is looked at before its timeout. Only a newer version has it looked at for that, as for a reminder."""
    return None if token.wake_at == token.timeout_at else token.wake_at


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((instant for instant in (one, other) if instant is not None), default=None)


def _next_look(token: Token) -> int | None:
    return token.timeout_at if token.wake_at is None else token.wake_at
