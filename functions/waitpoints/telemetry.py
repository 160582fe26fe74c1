"""Logs and metrics: one canonical log line per request or record; and traces, if the stack asks for them.

They contain ids, names and counts, never payloads, callback hashes, keys, task tokens or callback ids. A waiter is
identified by the hash of its handle.
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import JSONEncoder
from typing import Any

from aws_lambda_powertools import Logger

MOST_VALUES = 100  # of one metric in one line
# Nothing shows them, and every line would ask for them
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
logging.getLogger().setLevel(logging.WARNING)  # with JSON logs Lambda sets INFO, at which botocore logs each cold start
_encode = JSONEncoder(default=str, separators=(",", ":"), ensure_ascii=False).encode  # `dumps` makes one each time
logger = Logger(
    json_serializer=_encode,
    json_deserializer=str,  # by default each message is parsed, in case it is JSON
    location=None,
    datefmt="%Y-%m-%dT%H:%M:%S.%FZ",  # Lambda reads no level beside a timestamp that is not in RFC 3339
    utc=True,
)
_line: dict[str, Any] = {}
_metrics: dict[str, tuple[str, list[float]]] = {}  # the unit and the values of each
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
        _log({"message": message, "ms": round((time.perf_counter() - started) * 1000, 1), **_line})
        _flush()
        if _traces:
            tracing.end(_line.get("tokenId"), failed="error" in _line)


def _log(line: Mapping[str, Any]) -> None:
    """Write a line as the logger does, without its record and formatter, a fifth of a warm callback's time outside boto3."""
    if logger.log_level > logging.INFO:
        return
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03}Z"
    trace = os.environ.get("_X_AMZN_TRACE_ID", "").partition(";")[0].removeprefix("Root=")
    about = {"level": "INFO", "timestamp": at, "service": logger.service, **({"xray_trace_id": trace} if trace else {})}
    handler: Any = logger.registered_handler
    handler.stream.write(_encode({**about, **line}) + "\n")


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
        measure(metric, by)


def measure(metric: str, value: float, unit: str = "Count") -> None:
    """Like `count`, but also emits zero."""
    values = _metrics.setdefault(metric, (unit, []))[1]
    values.append(float(value))
    if len(values) == MOST_VALUES:
        _flush()


def record_milliseconds(metric: str, value: int) -> None:
    measure(metric, value, "Milliseconds")


def _flush() -> None:
    """Print the metrics in CloudWatch's embedded metric format."""
    if not _metrics:
        return
    taken = dict(_metrics)
    _metrics.clear()
    units = [{"Name": name, "Unit": unit} for name, (unit, _) in taken.items()]
    named = {"Namespace": "Waitpoints", "Dimensions": [["service"]], "Metrics": units}
    about = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [named]}
    values = {name: values for name, (_, values) in taken.items()}
    print(_encode({"_aws": about, "service": logger.service, **values}))
