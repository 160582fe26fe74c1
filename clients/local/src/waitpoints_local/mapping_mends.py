"""What MiniStack 1.5.33 does otherwise than Lambda with event source mappings. `emulator.py` applies it."""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

POLL_SECONDS = 0.05


def poll_without_rest(esm_wake: threading.Event, lambda_svc: Any, sqs: Any) -> None:
    """Let event source mappings see a delayed message as soon as it is due, and go on as soon as a pause is over.

    AWS polls a queue continuously. MiniStack 1.5.33 pauses for a second when it finds nothing, unless a write wakes it;
    the end of a message's delay is not a write, nor is that of the pause after a failure.
    """

    def instants() -> Iterator[float]:
        for queue in list(sqs._queues._data.values()):
            yield from [message["visible_at"] for message in list(queue["messages"])]
        yield from list(lambda_svc._esm_backoff_until._data.values())

    def tick() -> None:
        before = time.time()
        while True:
            time.sleep(POLL_SECONDS)
            now = time.time()
            if any(before < instant <= now for instant in instants()):
                esm_wake.set()
            before = now

    threading.Thread(target=tick, daemon=True).start()


def _noting_polls(lambda_svc: Any) -> threading.local:
    """Return what has `streams` while a thread polls the streams."""
    poll, polling = lambda_svc._poll_dynamodb_streams, threading.local()

    def poll_streams() -> Any:
        polling.streams = True
        try:
            return poll()
        finally:
            polling.streams = False

    lambda_svc._poll_dynamodb_streams = poll_streams
    return polling


@dataclass
class _Batch:
    """What a mapping has gathered: the places in the stream of the records that pass its filter, and since when."""

    read_to: int
    places: list[int] = field(default_factory=list)
    first: int = -1
    since: float = 0


def gather_batches(lambda_svc: Any, dynamodb: Any, esm_wake: threading.Event) -> None:
    """Invoke a stream's function once its batching window is over or its batch is full.

    AWS gathers the records that pass the filter for up to `MaximumBatchingWindowInSeconds`. MiniStack 1.5.33 ignores it.
    """
    mappings, polling = lambda_svc._iter_all_esms, _noting_polls(lambda_svc)
    batches: dict[str, _Batch] = {}

    def mappings_with_a_batch() -> Any:
        for account, region, mapping in mappings():
            has_window = mapping.get("MaximumBatchingWindowInSeconds") and mapping["UUID"] in positions()
            if not getattr(polling, "streams", False) or not has_window:
                yield account, region, mapping
            elif length := batch_length(account, region, mapping):
                yield account, region, {**mapping, "BatchSize": length}

    def batch_length(account: str, region: str, mapping: Any) -> int:
        """Return how many records of the stream the batch spans, or 0 while it is gathered."""
        start, full = positions()[mapping["UUID"]], mapping["BatchSize"]
        batch = batches.setdefault(mapping["UUID"], _Batch(start))
        table, everything = mapping["EventSourceArn"].split("/")[1], sys.maxsize
        new = dynamodb.stream_records_since(table, batch.read_to, everything, account_id=account, region=region)
        kept = {id(record) for record in lambda_svc._apply_filter_criteria(new, mapping)}
        passing = [n for n, record in enumerate(new) if id(record) in kept]
        batch.places = [place for place in batch.places if place >= start] + [batch.read_to + n for n in passing]
        batch.read_to += len(new)
        if batch.places and batch.places[0] != batch.first:
            batch.first, batch.since = batch.places[0], time.monotonic()
            poll_after(mapping["MaximumBatchingWindowInSeconds"])
        if len(batch.places) >= full:
            return int(batch.places[full - 1] + 1 - start)
        is_over = time.monotonic() - batch.since >= mapping["MaximumBatchingWindowInSeconds"]
        return batch.read_to - start if batch.places and is_over else 0

    def poll_after(seconds: float) -> None:
        timer = threading.Timer(seconds, esm_wake.set)
        timer.daemon = True
        timer.start()

    def positions() -> Any:
        return lambda_svc._dynamodb_stream_positions

    lambda_svc._iter_all_esms = mappings_with_a_batch


def retry_failed_records(lambda_svc: Any) -> None:
    """Redeliver a stream batch when its function reports a failed record, as AWS does.

    MiniStack 1.5.33 ignores `batchItemFailures` for streams and continues as if every record had succeeded.
    """
    execute, polling = lambda_svc._execute_function, _noting_polls(lambda_svc)

    def execute_function(*args: Any, **named: Any) -> Any:
        result = execute(*args, **named)
        body = result.get("body")
        if getattr(polling, "streams", False) and isinstance(body, dict) and body.get("batchItemFailures"):
            return {**result, "error": True, "body": {"errorType": "BatchItemFailures", "errorMessage": "to be sent again"}}
        return result

    lambda_svc._execute_function = execute_function


def match_what_is_absent(lambda_svc: Any) -> None:
    """Let a filter for an attribute that is absent pass a record that has no such attribute, whatever its type.

    The operator `exists` looks at leaves: docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html.
    MiniStack 1.5.33 refuses every pattern for a member of what the record lacks.
    """
    match = lambda_svc._match_esm_filter

    def match_absent(record: dict[str, Any], pattern: dict[str, Any]) -> Any:
        absent: dict[str, Any] = {name: {} for name, inner in pattern.items() if name not in record and _is_for_absence(inner)}
        return match(record | absent, pattern)

    lambda_svc._match_esm_filter = match_absent


def match_one_of_several(lambda_svc: Any) -> None:
    """Let `$or` in a filter pass a record that one of its patterns passes. MiniStack 1.5.33 takes it for a member.

    docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html, Filter rule syntax
    """
    match = lambda_svc._match_esm_filter

    def match_several(record: dict[str, Any], pattern: dict[str, Any]) -> Any:
        if "$or" not in pattern:
            return match(record, pattern)
        rest = {name: inner for name, inner in pattern.items() if name != "$or"}
        return match(record, rest) and any(lambda_svc._match_esm_filter(record, one) for one in pattern["$or"])

    lambda_svc._match_esm_filter = match_several


def _is_for_absence(pattern: Any) -> bool:
    return isinstance(pattern, dict) and all(leaves == [{"exists": False}] for leaves in pattern.values())
