"""Put the event of each settled token on the event bus, from the records of the table's stream.

The event is made of the record alone; only metadata, an item of its own, is read from the table. A record comes again while
its event may still be put, for GIVE_UP_AFTER; then a dead letter keeps it, so that the waiters of later records need not wait
for EventBridge, and nothing is lost with the stream's records.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints import telemetry
from waitpoints.aws.dead_letters import DeadLetters
from waitpoints.aws.error_codes import error_name
from waitpoints.aws.event_bus import EventBus, NotPut
from waitpoints.aws.items import plain, token_from
from waitpoints.errors import CannotPutNow, DetailRefused, TokenNotFound
from waitpoints.ports import TokenStore
from waitpoints.resuming import Clock
from waitpoints.settled_event import settled_event
from waitpoints.token import DocumentKind, Token

GIVE_UP_AFTER = 3_600_000  # milliseconds from the write that settled the token
REMEMBERED = 1000  # records

Record = Mapping[str, Any]
"""A record of the table's stream, as Lambda gets it."""


class Announcer:
    def __init__(self, bus: EventBus, store: TokenStore, dead_letters: DeadLetters, bucket: str, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._dead_letters = dead_letters
        self._bucket = bucket
        self._clock = clock
        self._done: dict[str, None] = {}
        """The records that need no event any more. A record that comes again with a failed one then makes no second event."""

    def announce(self, records: Sequence[Record]) -> list[str]:
        """Put the events of these records. Returns the sequence numbers of those that must come again.

        Raises nothing, since a failure must not keep back the waiters of the same records.
        """
        with telemetry.canonical_line("announce", records=len(records)):
            try:
                return self._announce([record for record in records if record["eventID"] not in self._done])
            except Exception as error:
                telemetry.note(error=type(error).__name__)
                return [_sequence_number(record) for record in records]

    def announce_again(self, token_ids: Sequence[str]) -> int:
        """Put the events of these tokens, for a redrive. Returns how many were refused again."""
        with telemetry.canonical_line("announce", tokens=len(token_ids)):
            tokens = [token for token in map(self._find, token_ids) if token and is_announced(token)]
            return sum(reason is not None for reason in self._put(tokens))

    def _announce(self, records: Sequence[Record]) -> list[str]:
        read = [(record, _token(record)) for record in records]
        again = [_sequence_number(record) for record, token in read if token is None]
        settled = [(record, token) for record, token in read if token is not None and is_announced(token)]
        for (record, token), reason in zip(settled, self._read_and_put([token for _, token in settled]), strict=True):
            if isinstance(reason, CannotPutNow) and not self._is_old(record):
                again.append(_sequence_number(record))
                continue
            if reason is not None:
                telemetry.count("EventsDeadLettered")
                self._dead_letters.put_event(token.id, str(reason))
            self._remember(record["eventID"])
        return again

    def _read_and_put(self, tokens: Sequence[Token]) -> list[NotPut | None]:
        """Put the events of tokens as their records have them. One whose metadata could not be read is not put now."""
        full = list(self._with_metadata(tokens))
        reasons = iter(self._put([token for token in full if isinstance(token, Token)]))
        return [next(reasons) if isinstance(token, Token) else token for token in full]

    def _with_metadata(self, tokens: Sequence[Token]) -> Iterator[Token | CannotPutNow]:
        """Yield each token with its metadata. After a read that failed, none is tried: waiters need the time."""
        failed: CannotPutNow | None = None
        for token in tokens:
            if not token.has_metadata:
                yield token
                continue
            try:
                text = None if failed else self._store.read_document(token.id, DocumentKind.METADATA)
            except (ClientError, BotoCoreError) as error:
                telemetry.note(metadataNotRead=error_name(error))
                failed = CannotPutNow(error_name(error))
            yield failed or replace(token, metadata=text)

    def _put(self, tokens: Sequence[Token]) -> list[NotPut | None]:
        """Put the events of these tokens. One whose content EventBridge refuses is put without its output."""
        reasons = self._bus.put([settled_event(token, self._bucket) for token in tokens])
        refused = [number for number, reason in enumerate(reasons) if isinstance(reason, DetailRefused)]
        if refused:
            telemetry.count("EventOutputsRefused", len(refused))
            bare = [settled_event(tokens[number], self._bucket, with_output=False) for number in refused]
            for number, reason in zip(refused, self._bus.put(bare), strict=True):
                reasons[number] = reason
        _tell(reasons)
        return reasons

    def _find(self, token_id: str) -> Token | None:
        try:
            return self._store.get(token_id)
        except TokenNotFound:
            return None

    def _is_old(self, record: Record) -> bool:
        """Whether the record has been tried for long enough. A redrive's records have no time: they are tried once each."""
        written_at = record["dynamodb"].get("ApproximateCreationDateTime")
        return written_at is not None and written_at * 1000 + GIVE_UP_AFTER <= self._clock()

    def _remember(self, record_id: str) -> None:
        self._done[record_id] = None
        while len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]


def is_announced(token: Token) -> bool:
    """Whether a token has an event: it has settled, and if it is a kept completion, a create has adopted it."""
    return token.outcome is not None and token.kept_until is None


def _token(record: Record) -> Token | None:
    """Return the settled token without its waiters, or None if this version cannot read it, as right after a rollback."""
    image = record["dynamodb"]["NewImage"]
    try:
        return token_from(plain({name: value for name, value in image.items() if name != "waiters"}))
    except (KeyError, TypeError, ValueError) as error:
        telemetry.note(unread=type(error).__name__)
        return None


def _sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _tell(reasons: Sequence[NotPut | None]) -> None:
    """Log and count what became of some events."""
    failed = [reason for reason in reasons if reason is not None]
    telemetry.count("EventsPut", len(reasons) - len(failed))
    if failed:
        telemetry.note(notPut=len(failed), reason=str(failed[0]))
