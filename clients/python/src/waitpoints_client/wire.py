"""Python's values as the API's texts, and back: durations, instants, and names in camel case."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from pydantic.alias_generators import to_camel

Duration: TypeAlias = timedelta | int | str
"""A timedelta, a number of seconds, or the API's text such as "30s", "10m" or "1d12h"."""

Timeout: TypeAlias = datetime | timedelta | int | str
"""When something ends: a duration from now, or an instant as a datetime with a time zone or a text in ISO 8601."""

ACCEPTED: Final = (
    'a duration such as "30s", "10m", "1d12h" (w, d, h, m, s), or a future date such as "2030-01-31T18:00:00Z" (ISO 8601)'
)
"""What a timeout can be."""

_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}  # seconds
_PART = re.compile(r"(\d+)(w|d|h|m|s)", re.ASCII)
_WHOLE = re.compile(r"(?:\d+(?:w|d|hr|h|m|s))+", re.ASCII)


def duration(value: Duration) -> str:
    """Return a duration as the API writes it; a text is returned unchanged. Raises ValueError or TypeError.

    The API knows whole seconds only. Weeks are written as days.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, timedelta)):
        raise TypeError(f"Expected a timedelta, whole seconds or a text such as '10m', not {type(value).__name__}")
    try:
        length = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except OverflowError:
        raise ValueError(f"A duration cannot be so long: {value} s") from None
    if length < timedelta(0):
        raise ValueError(f"A duration cannot be negative: {length}")
    if length.microseconds:
        raise ValueError(f"A duration is a whole number of seconds: {length.total_seconds()} s")
    return _written(length.days * _UNITS["d"] + length.seconds)


def _written(seconds: int) -> str:
    parts = ""
    for unit in "dhm":
        number, seconds = divmod(seconds, _UNITS[unit])
        parts += f"{number}{unit}" if number else ""
    return parts + (f"{seconds}s" if seconds or not parts else "")


def read_duration(text: str) -> timedelta:
    """Return a duration of the API as a timedelta. Only the first of a repeated unit counts, as in the API."""
    first = {unit: int(number) for number, unit in reversed(_PART.findall(text.replace("hr", "h")))}
    return timedelta(seconds=sum(number * _UNITS[unit] for unit, number in first.items()))


def read_instant(text: str) -> datetime:
    """Return an instant of ISO 8601, by default in UTC. Raises ValueError."""
    found = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def is_duration(text: Any) -> bool:
    """Whether the API reads a text as a duration."""
    return isinstance(text, str) and _WHOLE.fullmatch(text) is not None


def read_timeout(text: str, now: datetime) -> datetime:
    """Return when a token with this timeout times out. Raises ValueError that says what is accepted."""
    try:
        end = now + read_duration(text) if is_duration(text) else read_instant(text)
    except (ValueError, OverflowError):
        raise ValueError(f'"{text}": expected {ACCEPTED}') from None
    if end <= now:
        raise ValueError(f'"{text}": it must be in the future; expected {ACCEPTED}')
    return end


def instant(value: datetime | str) -> str:
    """Return an instant in ISO 8601, in UTC and cut to milliseconds. Raises ValueError for a datetime without a time zone."""
    if isinstance(value, str):
        return value
    if value.utcoffset() is None:
        raise ValueError(f"{value.isoformat()} has no time zone: use for example datetime.now(timezone.utc)")
    try:
        in_utc = value.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"{value.isoformat()} is not in the years 1 to 9999 of UTC") from None
    return in_utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timeout(value: Timeout) -> str:
    """Return a timeout as the API reads it. Raises ValueError or TypeError as `duration` and `instant` do."""
    return instant(value) if isinstance(value, datetime) else duration(value)


def write_json(value: Any, *, allow_nan: bool = True) -> str:
    """Return the JSON text of a value. Half of a surrogate pair, which UTF-8 does not have, is escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=allow_nan, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def read_json(text: str) -> Any:
    """Return the value of a JSON text. A whole number with so many digits that Python refuses to read it becomes infinite."""
    return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def members(options: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return what a caller gave as members of a JSON body: in camel case, times as texts, without those that are None.

    Raises TypeError for a name that is not `known`, as a call with an unknown argument does.
    """
    refuse_unknown(options, known)
    given = {name: value for name, value in options.items() if value is not None}
    texts = {name: _TEXTS[name](value) if name in _TEXTS else value for name, value in given.items()}
    return {to_camel(name).replace("Ttl", "TTL"): value for name, value in texts.items()}


def refuse_unknown(options: Collection[str], known: Collection[str]) -> None:
    """Raises TypeError that names the nearest known option."""
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise TypeError(f"Unknown option '{name}'" + (f": did you mean '{near[0]}'?" if near else ""))


_TEXTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "timeout": timeout,
    "idempotency_key_ttl": duration,
    "key_ttl": duration,
    "record_deliveries": duration,
}
