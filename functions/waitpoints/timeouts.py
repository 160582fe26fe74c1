"""Parse `timeout` and `idempotencyKeyTTL` (contract C4 and C7), and apply the stack's limits.

A timeout is a date or a duration from now:

    2030-01-31T18:00:00Z   ISO 8601; UTC unless it has an offset; may stop at the day, month or year
    Thu, 31 Jan 2030 …     as JavaScript prints a Date; in GMT or with an offset
    1d12h                  a duration: whole numbers of w, d, h (or hr), m, s; only the first of a repeated unit counts

In Trigger.dev, a token with an invalid or past timeout never times out. Here that is an error.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from waitpoints.errors import InvalidTimeout

ACCEPTED = (
    'a duration such as "30s", "10m", "1d12h" (w, d, h, m, s), or a future date such as "2030-01-31T18:00:00Z" (ISO 8601)'
)
LATEST = 253_402_300_799_000  # 9999-12-31T23:59:59Z: dates in ISO 8601 have four-digit years
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = {"w": 604_800_000, "d": 86_400_000, "hr": 3_600_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
_DURATION = re.compile(r"(?:\d+(?:w|d|hr|h|m|s))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+)(w|d|hr|h|m|s)", re.ASCII)
_DURATION_LENGTH = 100

_ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?"
    r"(?:[Tt ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"\s?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_PRINTED = re.compile(
    r"(?:[a-z]{3,9},?\s+)?"
    r"(?:(?P<day>\d{1,2})[\s-](?P<month>[a-z]{3})[a-z]*|(?P<month2>[a-z]{3})[a-z]*\s(?P<day2>\d{1,2})),?[\s-](?P<year>\d{4})"
    r"(?:,?\s(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?)?"
    r"(?:\s?(?:gmt|utc|z)?(?P<zone>[+-]\d\d:?\d\d)?)(?:\s\([^()]*\))?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The stack's DefaultTimeout and MaxTimeout: durations, or "" for none."""

    default: str = ""
    longest: str = ""


def timeout_at(text: Any, now: int, limits: Limits = Limits()) -> int | None:
    """Return when a token created at `now` with this `timeout` times out (epoch milliseconds), or None for never.

    Raises InvalidTimeout if the timeout is invalid, not in the future, or over the stack's limit.
    """
    if text is None:
        text = limits.default or None
    if text is None:
        instant = None
    elif not isinstance(text, str):
        raise InvalidTimeout(f"Invalid timeout: expected {ACCEPTED}")
    else:
        instant = _instant(text, now)
    if limits.longest and (instant is None or instant > now + duration(limits.longest)):
        raise InvalidTimeout(f"Invalid timeout: this stack allows at most {limits.longest} (its MaxTimeout)")
    return instant


def key_expires_at(text: Any, now: int) -> int | None:
    """Return when a key with this `idempotencyKeyTTL` expires (epoch milliseconds), or None. Raises InvalidTimeout."""
    if text is None:
        return None
    lifetime = maybe_duration(text)
    if not lifetime:
        raise InvalidTimeout('Invalid idempotencyKeyTTL: expected a duration such as "60s", "24h", "1w" (w, d, h, m, s)')
    instant = now + lifetime
    if instant > LATEST:
        raise InvalidTimeout("Invalid idempotencyKeyTTL: it must end before the year 10000")
    return instant


def early_until(text: Any, now: int, retention: int) -> int:
    """Return until when a completion by key with this `idempotencyKeyTTL` is kept (epoch milliseconds).

    The default, and the longest time, is the stack's `retention` in seconds. Raises InvalidTimeout.
    """
    longest = now + retention * 1000
    instant = key_expires_at(text, now)
    if instant is not None and instant > longest:
        raise InvalidTimeout(
            f"Invalid idempotencyKeyTTL: a completion is kept for at most {retention // 86_400}d, the stack's RetentionDays"
        )
    return longest if instant is None else instant


def duration(text: str) -> int:
    """Return a duration in milliseconds. Counts each unit once. Raises InvalidTimeout."""
    if len(text) > _DURATION_LENGTH or not _DURATION.fullmatch(text):
        raise InvalidTimeout(f"Invalid timeout {_quoted(text)}: expected {ACCEPTED}")
    first_of_each_unit = {unit[0]: (number, unit) for number, unit in reversed(_DURATION_PART.findall(text))}
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in first_of_each_unit.values())


def maybe_duration(value: Any) -> int:
    """Return a duration in milliseconds, 0 for what is none."""
    try:
        return duration(value) if isinstance(value, str) else 0
    except InvalidTimeout:
        return 0


def _instant(text: str, now: int) -> int:
    instant = date(text)
    if instant is None:
        instant = now + duration(text)
    if instant <= now:
        raise InvalidTimeout(f"Invalid timeout {_quoted(text)}: it must be in the future; expected {ACCEPTED}")
    if instant > LATEST:
        raise InvalidTimeout(f"Invalid timeout {_quoted(text)}: it must be before the year 10000")
    return instant


def date(text: str) -> int | None:
    """Return a date in epoch milliseconds, or None if `text` has neither date format. Raises InvalidTimeout."""
    match = _ISO.fullmatch(text)
    month = int(match["month"] or 1) if match else 0
    day = match["day"] if match else None
    if not match:
        match = _PRINTED.fullmatch(text)
        if not match:
            return None
        month, day = _MONTHS.get((match["month"] or match["month2"]).lower(), 0), match["day"] or match["day2"]
    try:
        instant = datetime(int(match["year"]), month, int(day or 1), tzinfo=_zone(match["zone"])) + _time_of_day(match)
        return (instant - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise InvalidTimeout(f"Invalid timeout {_quoted(text)}: that date does not exist; expected {ACCEPTED}") from None


def _time_of_day(match: re.Match[str]) -> timedelta:
    hour, minute, second = (int(match[unit] or 0) for unit in ("hour", "minute", "second"))
    milliseconds = int((match.groupdict().get("fraction") or "").ljust(3, "0")[:3])
    if (hour, minute, second, milliseconds) > (24, 0, 0, 0) or minute > 59 or second > 59:
        raise ValueError("no such time of day")
    return timedelta(hours=hour, minutes=minute, seconds=second, milliseconds=milliseconds)


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes > 59:  # `timezone` refuses 24 hours
        raise ValueError("no such offset")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _quoted(text: str) -> str:
    shown = text if len(text) <= 40 else text[:40] + "…"
    return f'"{shown}"'
