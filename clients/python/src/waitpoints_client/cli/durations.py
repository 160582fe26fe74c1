"""Durations as they are typed: 30s, 10m, 2h, 1d, 1h30m."""

import re

from waitpoints_client.cli.problems import CommandProblem

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}  # seconds
_WHOLE = re.compile(r"(?:\d+[wdhms])+", re.ASCII)
_PART = re.compile(r"(\d+)([wdhms])", re.ASCII)


def seconds(text: str) -> int:
    """Return a duration in seconds. Raises CommandProblem that says what is accepted."""
    if not _WHOLE.fullmatch(text):
        raise CommandProblem(f"{text!r} is no duration: write 30s, 10m, 2h, 1d or 1h30m", 2)
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
