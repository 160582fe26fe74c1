"""Put the events of tokens on the event bus, from the records of the table's stream.

The event of a settled token, or of an answer, is made of the record alone; only metadata, an item of its own, is read from the
table. A reminder or an escalation is put only while its token waits, and says who has not answered: so the token is read. A
record comes again while its events may still be put, for GIVE_UP_AFTER; then a dead letter keeps them, so that the waiters of
later records need not wait for EventBridge, and nothing is lost with the stream's records. One that cannot be read comes again
for a shorter time (see `record`).

A record shows the token as it was written, not what was changed. So it has an event for each change in the last while before
it, and the same change may be in several records.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.aws.error_codes import error_name
from waitpoints.aws.services.event_bus import EventBus, NotPut
from waitpoints.aws.services.queues import DeadLetters
from waitpoints.errors import CannotPut, CannotPutNow, DetailRefused
from waitpoints.event import Event
from waitpoints.ports import Clock
from waitpoints.stream.record import Record, age_of, is_given_up, may_be_read_later, number_of, token_id_of, token_of
from waitpoints.stream.settled_event import settled_event
from waitpoints.token import DocumentKind, Token

if TYPE_CHECKING:
    from waitpoints.aws.store import Store

GIVE_UP_AFTER = 3_600_000  # milliseconds from the write that settled the token
REMEMBERED = 1000  # records, and changes of waiting tokens
WRITTEN_WITHIN = 900_000  # milliseconds from the instant of a change to its record: no function runs so long

MakeEvent = Callable[..., Event]
"""Returns the event, or with `with_output=False` what is left of it without the part that EventBridge may refuse."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An event to put. `name` is what is remembered once that is done."""

    record: Record
    token_id: str
    name: str
    make: MakeEvent


class EventPublisher:
    def __init__(self, bus: EventBus, store: "Store", dead_letters: DeadLetters, bucket: str, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._dead_letters = dead_letters
        self._bucket = bucket
        self._clock = clock
        self._done: dict[str, None] = {}
        """The records and changes that need no event any more. One that comes again with a failed one makes no second event."""

    def publish(self, records: Sequence[Record]) -> list[str]:
        """Put the events of these records. Returns the sequence numbers of those that must come again.

        Raises nothing, since a failure must not keep back the waiters of the same records.
        """
        with telemetry.canonical_line("publish", records=len(records)):
            try:
                return self._publish([record for record in records if record["eventID"] not in self._done])
            except Exception as error:
                telemetry.note(error=type(error).__name__)
                return [number_of(record) for record in records]

    def publish_again(self, token_ids: Sequence[str]) -> int:
        """Put the events of these tokens, for a redrive. Returns how many were refused again."""
        with telemetry.canonical_line("publish", tokens=len(token_ids)):
            tokens = [token for token in map(self._store.find, token_ids) if token]
            return sum(reason is not None for reason in self._put([make for it in tokens for make in self._all_events(it)]))

    def _publish(self, records: Sequence[Record]) -> list[str]:
        again: dict[str, None] = {}
        unread: CannotPutNow | None = None  # why metadata was not read: none is tried again, since waiters need the time
        planned: dict[str, Planned] = {}  # a change may be in several of these records
        for record in records:
            try:
                token = token_of(record)
                if unread and token.has_metadata:
                    raise unread
                for it in self._plan(record, token):
                    planned.setdefault(it.name, it)
            except Exception as error:  # the record, its token or the token's metadata
                unread = _not_read(error) or unread
                again |= self._end_unread(record, error)
        for it, reason in zip(planned.values(), self._put([it.make for it in planned.values()]), strict=True):
            again |= self._end(it.record, it.token_id, it.name, reason)
        return list(again)

    def _plan(self, record: Record, token: Token) -> Iterator[Planned]:
        """Yield the events of a record, but for those that this environment has put before."""
        if has_event(token):
            if token.has_metadata:
                token = replace(token, metadata=self._store.read_document(token.id, DocumentKind.METADATA))
            yield Planned(record, token.id, record["eventID"], partial(settled_event, token, self._bucket))
        if token.outcome is not None:
            return
        from waitpoints.stream.waiting_event import concerns_anyone, latest, waiting_event

        new = [it for it in latest(token) if it.id_of(token) not in self._done and _may_have_made(record, it.at)]
        if any(it.is_request for it in new):
            now = self._store.find(token.id)
            token = replace(token, page=now.page if now else None)
            waits = now is not None and now.outcome_at(self._clock()) is None
            new = [it for it in new if not it.is_request or (waits and concerns_anyone(token, it))]
        for it in new:
            yield Planned(record, token.id, it.id_of(token), partial(waiting_event, token, it))

    def _all_events(self, token: Token) -> Iterator[MakeEvent]:
        """Yield every event that a token may lack."""
        from waitpoints.stream.waiting_event import all_answers, all_hand_overs, concerns_anyone, latest, waiting_event

        waits = token.outcome_at(self._clock()) is None
        requests = [it for it in latest(token) if it.is_request and waits and concerns_anyone(token, it)]
        for it in [*all_answers(token), *all_hand_overs(token), *requests]:
            yield partial(waiting_event, token, it)
        if has_event(token):
            yield partial(settled_event, token, self._bucket)

    def _end(self, record: Record, token_id: str, name: str, reason: NotPut | None) -> dict[str, None]:
        """Note what became of an event. Returns the sequence number of its record if that must come again."""
        if isinstance(reason, CannotPutNow) and not is_given_up(record, self._clock(), GIVE_UP_AFTER):
            return {number_of(record): None}
        if reason is not None:
            telemetry.count("EventsDeadLettered")
            self._dead_letters.put_event(token_id, str(reason))
        self._done[name] = None
        while len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]
        return {}

    def _end_unread(self, record: Record, error: Exception) -> dict[str, None]:
        """The same of a record of which no event could be planned."""
        may_pass = _not_read(error)
        if may_pass is None and not is_given_up(record, self._clock()):
            return {number_of(record): None}
        reason = may_pass or CannotPut(f"not read: {type(error).__name__}")
        return self._end(record, token_id_of(record), record["eventID"], reason)

    def _put(self, makers: Sequence[MakeEvent]) -> list[NotPut | None]:
        """Put these events. One whose content EventBridge refuses is put without its output."""
        made = [_made(make) for make in makers]
        outcomes = iter(self._bus.put([event for event in made if isinstance(event, Event)]))
        reasons = [next(outcomes) if isinstance(event, Event) else event for event in made]
        refused = [number for number, reason in enumerate(reasons) if isinstance(reason, DetailRefused)]
        if refused:
            telemetry.count("EventOutputsRefused", len(refused))
            bare = [makers[number](with_output=False) for number in refused]
            for number, reason in zip(refused, self._bus.put(bare), strict=True):
                reasons[number] = reason
        failed = [reason for reason in reasons if reason is not None]
        telemetry.count("EventsPut", len(reasons) - len(failed))
        if failed:
            telemetry.note(notPut=len(failed), reason=str(failed[0]))
        return reasons


def _not_read(error: Exception) -> CannotPutNow | None:
    """Return why no more is read in this batch, since it may pass. None: it is the record's own fault."""
    if isinstance(error, CannotPutNow):
        return error
    telemetry.note(notRead=error_name(error))
    return CannotPutNow(error_name(error)) if may_be_read_later(error) else None


def _made(make: MakeEvent) -> Event | CannotPut:
    """Return an event, or why there is none: the others of its batch go on."""
    try:
        return make()
    except Exception as error:
        return CannotPut(f"not made: {type(error).__name__}")


def has_event(token: Token) -> bool:
    """Whether the end of a token has an event: it has settled, and if it is an early completion, a create has claimed it."""
    return token.outcome is not None and token.early_until is None


def _may_have_made(record: Record, at: int) -> bool:
    """Whether a change at this instant may be what made a record: an earlier record has what is older."""
    age = age_of(record, at)
    return age is None or -age <= WRITTEN_WITHIN
