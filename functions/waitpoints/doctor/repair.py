"""Work on a token that was left undone, and how it is finished.

    undelivered    a settled token that has a waiter without a recorded reply
    overdue        a WAITING token past its timeout, a reminder or its escalation

What was found may be finished by now, or was only suspected. So each token is read again, and most need nothing more.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from waitpoints import telemetry
from waitpoints.errors import TokenNotFound
from waitpoints.ports import Clock, DoctorStore, TokenStore
from waitpoints.timers.due import Timers
from waitpoints.token import Attachment
from waitpoints.tokens import Tokens


class Undone(StrEnum):
    """What is left to do on a token."""

    UNDELIVERED = "undelivered"
    OVERDUE = "overdue"


@dataclass(slots=True)
class Finished:
    """What became of the tokens that were looked at. `marked` are those left undone that are marked now."""

    finished: set[str] = field(default_factory=set)
    left: dict[str, Undone] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)

    def of(self, kind: Undone) -> list[str]:
        return [token_id for token_id, undone in self.left.items() if undone is kind]


class Finishing:
    def __init__(self, tokens: Tokens, timers: Timers, store: TokenStore, doctor_store: DoctorStore, clock: Clock) -> None:
        self._tokens = tokens
        self._timers = timers
        self._store = store
        self._doctor_store = doctor_store
        self._clock = clock

    def finish(self, found: dict[str, Undone], marks: Collection[str], has_time: Callable[[], bool]) -> Finished:
        """Time out or resume what was found. Starts nothing more once `has_time` returns False. `marks` are marked already."""
        result = Finished()
        for token_id, kind in found.items():
            if not has_time():
                result.left[token_id] = kind
                continue
            with telemetry.canonical_line("finish", tokenId=token_id):
                try:
                    self._finish_one(token_id, kind, token_id in marks, result)
                except Exception as error:  # a failure must not stop the other tokens
                    telemetry.note(error=type(error).__name__)
                    result.left[token_id] = kind
        return result

    def wake(self, token_ids: Iterable[str], has_time: Callable[[], bool]) -> None:
        """Put tokens of an older version into the due index. The next pass finds the rest again."""
        self._each(token_ids, self._timers.fire, str, has_time)

    def release(self, attachments: Iterable[Attachment], has_time: Callable[[], bool]) -> None:
        """Delete the attachments whose tokens are gone. The next pass finds the rest again."""
        self._each(attachments, self._tokens.release_if_orphaned, lambda it: it.token_id, has_time)

    def _each[Found](
        self,
        found: Iterable[Found],
        finish_one: Callable[[Found], object],
        id_of: Callable[[Found], str],
        has_time: Callable[[], bool],
    ) -> None:
        for one in found:
            if not has_time():
                return
            with telemetry.canonical_line("finish", tokenId=id_of(one)):
                try:
                    finish_one(one)
                except Exception as error:  # a failure must not stop the others
                    telemetry.note(error=type(error).__name__)

    def _finish_one(self, token_id: str, kind: Undone, is_marked: bool, result: Finished) -> None:
        """An overdue token that has ended by now is left to whoever has ended it."""
        try:
            token = self._store.get(token_id)
        except TokenNotFound:
            token = None
        if token and token.outcome is None:
            is_due = token.is_due_at(self._clock())
            self._timers.fire(token_id)
            result.finished |= {token_id} if is_due else set()
        elif token and token.unresumed() and kind is Undone.UNDELIVERED:
            self._resume(token_id, result)
        elif is_marked:
            self._tokens.unmark_unresumed(token_id)
        elif token and token.waiters and kind is Undone.UNDELIVERED:
            self._doctor_store.complete_replied(token_id, token.waiters)

    def _resume(self, token_id: str, result: Finished) -> None:
        if not self._tokens.resume_waiters(token_id):
            result.finished.add(token_id)
            return
        result.left[token_id] = Undone.UNDELIVERED
        if self._tokens.mark_unresumed(token_id):
            result.marked.add(token_id)
