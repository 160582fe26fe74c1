"""Logs and metrics: one canonical log line per request or record; and traces, if the stack asks for them.

They contain ids, names and counts, never payloads, callback hashes, keys, task tokens or callback ids. A waiter is
identified by the hash of its handle.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logging.getLogger().setLevel(logging.WARNING)  # with JSON logs Lambda sets INFO, at which botocore logs each cold start
logger = Logger(
    json_deserializer=str,  # by default each message is parsed, in case it is JSON
    location=None,
    datefmt="%Y-%m-%dT%H:%M:%S.%FZ",  # Lambda reads no level beside a timestamp that is not in RFC 3339
    utc=True,
)
metrics = Metrics(namespace="Waitpoints")
_line: dict[str, Any] = {}
_traces = os.environ.get("TRACING") == "Active"
if _traces:
    from waitpoints import tracing


@contextmanager
def canonical_line(message: str, **fields: Any) -> Iterator[None]:
    """On exit, also by an exception, log all facts noted in the block as one line and flush its metrics."""
    _line.clear()
    _line.update(fields)
    started = time.perf_counter()
    if _traces:
        tracing.begin(message)
    try:
        yield
    except BaseException as error:
        _line.setdefault("error", type(error).__name__)
        raise
    finally:
        logger.info(message, ms=round((time.perf_counter() - started) * 1000, 1), **_line)
        if metrics.metric_set:
            metrics.flush_metrics()
        if _traces:
            tracing.end(_line.get("tokenId"), failed="error" in _line)


@contextmanager
def only_logging(failure: str, **fields: Any) -> Iterator[None]:
    """Log an exception of the block as this failure, and go on."""
    try:
        yield
    except Exception as error:
        logger.warning(failure, **fields, error=type(error).__name__)


def note(**fields: Any) -> None:
    """Add facts to the canonical line."""
    _line.update(fields)


def link(traceparent: str | None) -> None:
    """Link the trace of the canonical line to the span that a caller named."""
    if _traces and traceparent:
        tracing.link(traceparent)


def count(metric: str, by: int = 1) -> None:
    if by:
        metrics.add_metric(metric, MetricUnit.Count, by)


def measure(metric: str, value: float) -> None:
    """Like `count`, but also emits zero."""
    metrics.add_metric(metric, MetricUnit.Count, value)


def record_milliseconds(metric: str, value: int) -> None:
    metrics.add_metric(metric, MetricUnit.Milliseconds, value)
