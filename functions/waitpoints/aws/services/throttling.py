"""Calls that fail at once when AWS throttles them, for a caller whose work somebody else repeats.

boto3 waits up to one second before it repeats a throttled call, and up to two before the next time. Meanwhile the function
holds its place of the account's concurrency, and its repetitions are throttled, too. Other failures are repeated as usual.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botocore.exceptions import ClientError

_CODES = {"ThrottlingException", "TooManyRequestsException"}  # of Step Functions and of Lambda
_TRIES_ONCE = ContextVar("tries_once", default=False)


@contextmanager
def not_repeated() -> Iterator[None]:
    """In this block and thread, a throttled call of a client that `fails_fast` is not repeated."""
    before = _TRIES_ONCE.set(True)
    try:
        yield
    finally:
        _TRIES_ONCE.reset(before)


def fails_fast(client: Any) -> Any:
    """Return the client, which from now on heeds `not_repeated`."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"needs-retry.{service}", _fail)
    return client


def _fail(response: tuple[Any, dict[str, Any]] | None, operation: Any, **_: Any) -> None:
    """Raise the error of a throttled response before boto3's own handler asks its quota for a retry."""
    if response is None or not _TRIES_ONCE.get():
        return
    parsed: Any = response[1]
    if parsed.get("Error", {}).get("Code") in _CODES:
        raise ClientError(parsed, operation.name)
