"""Time zones by their names in IANA's database, such as "Europe/Berlin". Only a page with `timeZone` loads this."""

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

NOT_A_PLACE = "Factory"  # what a machine is set to before somebody chooses a zone


@cache
def names() -> frozenset[str]:
    """Return the names that tzdata has."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split()) - {NOT_A_PLACE}


def local(at: datetime, name: str) -> datetime:
    """Return a time in a zone, or in UTC if this version no longer has it."""
    return at.astimezone(ZoneInfo(name) if name in names() else UTC)


def offset(at: datetime) -> str:
    """Return a time's distance from UTC, such as "UTC+5:30", which reads alike in every language."""
    minutes = round((at.utcoffset() or timedelta()) / timedelta(minutes=1))
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02}" if rest else "")
