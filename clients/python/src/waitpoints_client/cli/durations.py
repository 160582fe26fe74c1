"""Durations as they are typed: 30s, 10m, 2h, 1d, 1h30m."""

import re
from datetime import datetime, timedelta, timezone

from waitpoints_client.cli.problems import CommandProblem

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}  # seconds
_WHOLE = re.compile(r"(?:\d+[wdhms])+", re.ASCII)
_PART = re.compile(r"(\d+)([wdhms])", re.ASCII)


def seconds(text: str) -> int:
    """Return a duration in seconds. Raises CommandProblem that says what is accepted."""
    if not _WHOLE.fullmatch(text):
        raise CommandProblem(f"{text!r} is no duration: write 30s, 10m, 2h, 1d or 1h30m", 2)
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def is_date(text: str) -> bool:
    """Whether a text is meant as a date in ISO 8601."""
    return bool(re.match(r"\d{4}-", text, re.ASCII))


def instant(text: str) -> str:
    """Return the instant that was a duration ago, or a date as it is, in ISO 8601. Raises CommandProblem."""
    if is_date(text):
        return text
    try:
        found = datetime.now(timezone.utc) - timedelta(seconds=seconds(text))
    except OverflowError:
        raise CommandProblem(f"{text!r} is too long ago: write a shorter duration, or a date", 2) from None
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")
