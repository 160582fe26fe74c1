"""Put events on an EventBridge bus, and classify what became of each.

    response for an entry                        meaning               what follows
    an EventId                                   it is on the bus
    MalformedDetail, InvalidArgument             its content is        DetailRefused: put without the output
                                                 rejected
    AccessDenied, NotAuthorizedFor…, …           retrying won't fix    CannotPut: dead letter
                                                 it
    throttling, InternalFailure, no response     may work later        CannotPutNow: retried

A response with status 200 may still have failed entries (EventBridge API reference, PutEvents). A bus that does not exist
takes every event and drops it, so template.yaml lets the deployment fail instead.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints.aws.error_codes import classified, error_name
from waitpoints.errors import CannotPut, CannotPutNow, DetailRefused
from waitpoints.event import SOURCE, Event

MAX_ENTRIES = 10  # of one request
REQUEST_LIMIT = 256_000  # bytes of all its entries: EventBridge's limit before 2026, which not every region may have left

NotPut = CannotPut | CannotPutNow
"""Why an event is not on the bus, as far as known."""

_FAILURES: dict[type[NotPut], set[str]] = {
    DetailRefused: {"MalformedDetail", "InvalidArgument", "ValidationException"},
    CannotPut: {
        "AccessDenied",
        "AccessDeniedException",
        "InvalidAccountIdException",
        "NotAuthorizedForDetailTypeException",
        "NotAuthorizedForSourceException",
        "RedactionFailure",
        "ResourceNotFoundException",
    },
}


class EventsClient(Protocol):
    """The part of boto3's EventBridge client that puts events."""

    def put_events(self, *, Entries: Sequence[Any]) -> Any: ...


class EventBus:
    """The bus of this name. Most batches of the stream's consumer have an event, but the first that does creates the client."""

    def __init__(self, make_client: Callable[[], EventsClient], name: str) -> None:
        self._make_client = make_client
        self._name = name

    def put(self, events: Sequence[Event]) -> list[NotPut | None]:
        """Put the events, and return for each, in order, None or why it is not on the bus."""
        return self._put_all(batches(events))

    def _put_all(self, batches: Iterable[Sequence[Event]]) -> list[NotPut | None]:
        """Put one batch after the other. If nothing of one can be put now, the rest is not tried: waiters need the time."""
        outcomes: list[NotPut | None] = []
        stop: CannotPutNow | None = None
        for batch in batches:
            found = [stop] * len(batch) if stop else self._put_batch(batch)
            unable = [outcome for outcome in found if isinstance(outcome, CannotPutNow)]
            stop = unable[0] if len(unable) == len(batch) else None
            outcomes += found
        return outcomes

    def _put_batch(self, batch: Sequence[Event]) -> Sequence[NotPut | None]:
        try:
            answer = self._client.put_events(Entries=[self._entry(event) for event in batch])
        except (ClientError, BotoCoreError) as error:
            reason = _reason(error_name(error))
            if isinstance(reason, CannotPut) and len(batch) > 1:  # one event must not take the others along
                return self._put_all([event] for event in batch)
            return [reason] * len(batch)
        found = [_reason(result["ErrorCode"]) if "ErrorCode" in result else None for result in answer["Entries"]]
        assert len(found) == len(batch), "EventBridge answers for each entry, in order"
        return found

    def _entry(self, event: Event) -> dict[str, Any]:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Time": datetime.fromtimestamp(event.at / 1000, UTC),
            "Detail": event.detail,
        }

    @cached_property
    def _client(self) -> EventsClient:
        return self._make_client()


def batches(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Split the events, in order, into lists that each fit one request."""
    batch: list[Event] = []
    size = 0
    for event in events:
        if batch and (len(batch) == MAX_ENTRIES or size + event.size > REQUEST_LIMIT):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += event.size
    if batch:
        yield batch


def _reason(name: str) -> NotPut:
    return classified(name, _FAILURES, CannotPutNow)
