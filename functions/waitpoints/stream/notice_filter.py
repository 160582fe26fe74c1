"""Which records of the table's stream people may have to be notified of, and the message for each of their tokens.

A message for the notice queue only names its token: one too many does no harm, and one too few is a person who is not asked.
A record comes again while its message may still be sent, for GIVE_UP_AFTER. Then a dead letter keeps it, so that the waiters
and timers of later records need not wait, and nothing is lost with the stream's records.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.aws.error_codes import error_name
from waitpoints.aws.items import is_settled
from waitpoints.aws.services.queues import DeadLetters
from waitpoints.ports import Clock
from waitpoints.stream.record import Record, image_of, is_given_up, is_new, number_of, token_id_of

if TYPE_CHECKING:
    from waitpoints.aws.services.queues import NoticeQueue

GIVE_UP_AFTER = 3_600_000  # milliseconds from the write that a record is of
# What a waiting token has once something has changed.
CHANGES = ("answerCount", "remindedCount", "escalatedAt", "movedAt", "handOverCount")
ALL_TARGETS = "all targets"  # in a dead letter, instead of one target
REFUSED = "refused by SQS"


def may_matter(record: Record) -> bool:
    """Whether people may have to be notified of a record. A new waiter is not for them."""
    image = image_of(record)
    if "hasNotify" not in image:
        return False
    return is_new(record) or is_settled(image) or any(name in image for name in CHANGES)


class NoticeFilter:
    def __init__(self, queue: "NoticeQueue", dead_letters: DeadLetters, clock: Clock) -> None:
        self._queue = queue
        self._dead_letters = dead_letters
        self._clock = clock

    def enqueue(self, records: Sequence[Record]) -> list[str]:
        """Send the messages of these records, as far as they may matter. Returns the numbers of those that must come again.

        Raises nothing, since a failure must not keep back the waiters and timers of the same records.
        """
        tokens: dict[str, list[Record]] = {}
        for record in filter(may_matter, records):
            tokens.setdefault(token_id_of(record), []).append(record)
        if not tokens:
            return []
        with telemetry.canonical_line("ask for notices", tokens=len(tokens)):
            try:
                refused, reason = self._queue.send_all([*tokens]), REFUSED
                failed = [token_id for token_id in tokens if token_id in refused]
            except Exception as error:  # some may have been sent
                failed, reason = [*tokens], error_name(error)
            if failed:
                telemetry.note(failed=len(failed), reason=reason)
            again = self._put_off({token_id: tokens[token_id] for token_id in failed}, reason)
            return [number_of(record) for record in again]

    def _put_off(self, tokens: Mapping[str, Sequence[Record]], reason: str) -> list[Record]:
        """Return the records of these tokens that must come again: those that no dead letter keeps."""
        again: list[Record] = []
        can_keep = True  # once SQS refuses a dead letter, none is tried again: waiters need the time
        for token_id, records in tokens.items():
            if not (can_keep and all(is_given_up(it, self._clock(), GIVE_UP_AFTER) for it in records)):
                again += records
                continue
            try:
                self._dead_letters.put_notice(token_id, ALL_TARGETS, reason)
            except Exception as error:
                telemetry.note(notKept=error_name(error))
                can_keep = False
                again += records
        return again
