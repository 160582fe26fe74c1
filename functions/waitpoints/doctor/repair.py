"""What the doctor repairs.

    undelivered    a settled token that has a waiter without a recorded reply
    overdue        a WAITING token past its timeout, a reminder or its escalation

What was found may be repaired by now, or was only suspected. So each token is read again, and most need nothing more.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.ports import Clock
from waitpoints.timers.due import Timers
from waitpoints.token import Attachment
from waitpoints.tokens import Tokens

if TYPE_CHECKING:
    from waitpoints.aws.store import Store


class Defect(StrEnum):
    UNDELIVERED = "undelivered"
    OVERDUE = "overdue"


@dataclass(slots=True)
class Repairs:
    """What became of the tokens. `marked` are those of the `remaining` that are marked now."""

    repaired: set[str] = field(default_factory=set)
    remaining: dict[str, Defect] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)

    def remaining_of(self, kind: Defect) -> list[str]:
        return [token_id for token_id, defect in self.remaining.items() if defect is kind]


@dataclass(slots=True)
class DeliveryRepairs:
    """What became of pending deliveries: how many have settled a token or are kept only now, and the ids of the `remaining`."""

    repaired: int = 0
    remaining: list[str] = field(default_factory=list)
    error: Exception | None = None
    """Why they could not be read."""


class Repair:
    def __init__(self, tokens: Tokens, timers: Timers, store: "Store", clock: Clock) -> None:
        self._tokens = tokens
        self._timers = timers
        self._store = store
        self._clock = clock

    def repair(self, found: dict[str, Defect], marks: Collection[str], has_time: Callable[[], bool]) -> Repairs:
        """Time out or resume what was found. Begins nothing more once `has_time` returns False. `marks` are marked already."""
        result = Repairs()
        for token_id, kind in found.items():
            one = partial(self._repair_one, token_id, kind, token_id in marks, result)
            if not (has_time() and succeeds(one, tokenId=token_id)):
                result.remaining[token_id] = kind
        return result

    def release(self, attachments: Iterable[Attachment], has_time: Callable[[], bool]) -> None:
        """Delete the attachments whose tokens are gone. The next scan finds the others again."""
        for attachment in attachments:
            if not has_time():
                return
            succeeds(partial(self._tokens.release_if_orphaned, attachment), tokenId=attachment.token_id)

    def _repair_one(self, token_id: str, kind: Defect, is_marked: bool, result: Repairs) -> None:
        """A token that has ended by now is left to the function that has ended it, a later version's to that version."""
        token = self._store.find(token_id)
        if token and token.outcome is None and token.is_later:
            telemetry.count("TokensWrittenLater")
        elif token and token.outcome is None:
            is_due = token.is_due_at(self._clock())
            self._timers.fire(token_id)
            result.repaired |= {token_id} if is_due else set()
        elif token and token.unresumed() and kind is Defect.UNDELIVERED:
            if not self._tokens.resume_waiters(token_id):
                result.repaired.add(token_id)
            else:
                result.remaining[token_id] = Defect.UNDELIVERED
                result.marked |= {token_id} if self._tokens.mark_unresumed(token_id) else set()
        elif is_marked:
            self._tokens.unmark_unresumed(token_id)


def succeeds(act: Callable[[], object], **named: str) -> bool:
    """Repair one thing, which the log line names. A failure must not stop the others."""
    with telemetry.canonical_line("repair", **named):
        try:
            act()
        except Exception as error:
            telemetry.note(error=type(error).__name__)
            return False
    return True
