"""The times in requests, as the stack reads them. All are epoch milliseconds."""

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from waitpoints_client.testing.answers import Refusal, invalid, milliseconds
from waitpoints_client.wire import Duration, read_duration

_DURATION = re.compile(r"(?:\d+(?:w|d|hr|h|m|s))+", re.ASCII)
_LONGEST_TEXT = 100  # characters of a duration
LONGEST_OF_PAGE = 3_153_600_000_000  # milliseconds: 36,500 days
ACCEPTED = (
    'a duration such as "30s", "10m", "1d12h" (w, d, h, m, s), or a future date such as "2030-01-31T18:00:00Z" (ISO 8601)'
)


def duration(text: Any) -> int | None:
    """Return the duration in milliseconds, or None if the text is not one."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        return None
    return round(read_duration(text).total_seconds() * 1000)


def length(time: Duration) -> timedelta:
    """Return how long a test lets go by. Raises ValueError for a text that is no duration."""
    if isinstance(time, timedelta):
        return time
    found = duration(time) if isinstance(time, str) else time * 1000
    if found is None:
        raise ValueError(f'{time!r} is no duration: write for example "90s", "4h" or "1d12h"')
    return timedelta(milliseconds=found)


def from_create(value: Any, path: str) -> int:
    """Return a duration of a page in milliseconds. Raises Refusal."""
    length = duration(value) if len(str(value)) <= _LONGEST_TEXT else None
    if not length or length > LONGEST_OF_PAGE:
        accepted = 'a duration from the create, such as "4h" or "1d" (w, d, h, m, s), of at most 36500d'
        raise invalid(path, f"expected {accepted}")
    return length


def date(text: Any) -> int | None:
    """Return the time in epoch milliseconds, or None if the text is not one of ISO 8601."""
    try:
        instant = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except (ValueError, AttributeError):
        return None
    return milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc))


def timeout_at(text: Any, now: int) -> int | None:
    """Return when a token times out, or None for never. Raises Refusal."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise Refusal(422, f"Invalid timeout: expected {ACCEPTED}")
    length = duration(text)
    instant = date(text) if length is None else now + length
    if instant is None:
        raise Refusal(422, f'Invalid timeout "{text}": expected {ACCEPTED}')
    if instant <= now:
        raise Refusal(422, f'Invalid timeout "{text}": it must be in the future; expected {ACCEPTED}')
    return instant


def key_expires_at(text: Any, now: int) -> int | None:
    """Return when a key expires, or None for never. Raises Refusal."""
    if text is None:
        return None
    length = duration(text)
    if not length:
        raise Refusal(422, 'Invalid idempotencyKeyTTL: expected a duration such as "60s", "24h", "1w" (w, d, h, m, s)')
    return now + length
