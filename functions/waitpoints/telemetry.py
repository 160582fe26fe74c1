"""What a function says about its work: one canonical log line per request or record, and metrics beside it.

Both carry ids and counts only. Payloads, callback hashes, keys and task tokens never come here: a waiter is named by
the hash of its task token.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics(namespace="Waitpoints")
_line: dict[str, Any] = {}


@contextmanager
def canonical_line(message: str, **fields: Any) -> Iterator[None]:
    """Everything noted inside becomes one log line and one flush of metrics when it is left, however it is left."""
    _line.clear()
    _line.update(fields)
    started = time.perf_counter()
    try:
        yield
    except BaseException as error:
        _line.setdefault("error", type(error).__name__)
        raise
    finally:
        logger.info(message, ms=round((time.perf_counter() - started) * 1000, 1), **_line)
        if metrics.metric_set:
            metrics.flush_metrics()


def note(**fields: Any) -> None:
    """Add facts to the canonical line."""
    _line.update(fields)


def count(metric: str, by: int = 1) -> None:
    if by:
        metrics.add_metric(metric, MetricUnit.Count, by)


def measure(metric: str, value: int) -> None:
    """A count that means something at zero, too."""
    metrics.add_metric(metric, MetricUnit.Count, value)


def milliseconds(metric: str, value: int) -> None:
    metrics.add_metric(metric, MetricUnit.Milliseconds, value)
