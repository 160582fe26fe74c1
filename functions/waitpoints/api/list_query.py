"""The query strings of lists: tokens (contract L4), endpoints (N6). If a parameter is repeated, the last one counts."""

import re
from typing import Never
from urllib.parse import parse_qsl

from waitpoints import ids, timeouts
from waitpoints.endpoint import is_name
from waitpoints.errors import InvalidRequest, InvalidTimeout
from waitpoints.listing import Filter, ListQuery
from waitpoints.token import Status
from waitpoints.unknown_names import refuse_unknown

DEFAULT_SIZE, MAX_SIZE = 25, 100
SORTS = ("-createdAt", "createdAt")
MAX_TAGS = 50  # each takes 27 bytes of DynamoDB's filter expression; the limit is 4 KB
SHOWN = 100  # characters of an invalid value that the error message repeats
_UNITS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "month": 2_629_800_000,
    "y": 31_557_600_000,
}
_UNIT_NAMES = (
    r"(?:(?P<ms>ms|milliseconds?)|(?P<month>months?)|(?P<s>s|secs?|seconds?)|(?P<m>m|mins?|minutes?)"
    r"|(?P<h>h|hrs?|hours?)|(?P<d>d|days?)|(?P<w>w|wks?|weeks?)|(?P<y>y|yrs?|years?))"
)
_PERIOD_PART = re.compile(rf"\s*(?P<number>\d{{1,12}}(?:\.\d{{1,9}})?)\s*{_UNIT_NAMES}(?![a-z])\s*,?", re.ASCII | re.IGNORECASE)
_LONGEST_AGO = 100 * _UNITS["y"]


PARAMETERS = (
    "page[size]",
    "page[after]",
    "page[before]",
    "sort",
    "filter[status]",
    "filter[idempotencyKey]",
    "filter[tags]",
    "filter[createdAt][period]",
    "filter[createdAt][from]",
    "filter[createdAt][to]",
    "filter[completedAt][period]",
    "filter[completedAt][from]",
    "filter[completedAt][to]",
    "filter[outputIsError]",
    "filter[undelivered]",
)


ENDPOINT_PARAMETERS = ("page[size]", "page[after]")

BESIDE_UNDELIVERED = (
    "filter[undelivered]",
    "sort",
    *(name for name in PARAMETERS if name.startswith(("page", "filter[createdAt]"))),
)


def parse(raw_query: str, now: int, only_tag: str | None = None, *, ignore_unknown: bool = False) -> ListQuery:
    """Parse a query string of a caller who may see the tokens with the tag `only_tag`, or any.

    Raises InvalidRequest that names the parameter and what it accepts.
    """
    parameters = dict(parse_qsl(raw_query, keep_blank_values=True))
    if not ignore_unknown:
        refuse_unknown(parameters, PARAMETERS, "parameter")
    return ListQuery(
        filter=Filter(
            statuses=_statuses(parameters.get("filter[status]", "")),
            tags=_tags(parameters.get("filter[tags]", "")),
            idempotency_key=parameters.get("filter[idempotencyKey]") or None,
            completed_from=start(parameters, "filter[completedAt]", now),
            completed_to=instant(parameters, "filter[completedAt][to]"),
            output_is_error=_yes_or_no(parameters, "filter[outputIsError]"),
            undelivered=_undelivered(parameters),
            only_tag=only_tag,
        ),
        size=page_size(parameters.get("page[size]")),
        after=cursor(parameters, "page[after]"),
        before=cursor(parameters, "page[before]"),
        created_from=start(parameters, "filter[createdAt]", now),
        created_to=instant(parameters, "filter[createdAt][to]"),
        oldest_first=_is_oldest_first(parameters.get("sort", "")),
    )


def parse_endpoints(raw_query: str) -> tuple[int, str | None]:
    """Return how many endpoints the request wants, and the name after which they start. Raises InvalidRequest."""
    parameters = dict(parse_qsl(raw_query, keep_blank_values=True))
    refuse_unknown(parameters, ENDPOINT_PARAMETERS, "parameter")
    after = parameters.get("page[after]") or None
    if after is not None and not is_name(after):
        refuse("page[after]", "must be a cursor from pagination.next, which is an endpoint's name")
    return page_size(parameters.get("page[size]")), after


def page_size(value: str | None) -> int:
    """Return the number of items that `page[size]` asks for. Raises InvalidRequest."""
    if value is None:
        return DEFAULT_SIZE
    if not re.fullmatch(r"\d{1,3}", value, re.ASCII) or not 1 <= int(value) <= MAX_SIZE:
        refuse("page[size]", f"must be a whole number from 1 to {MAX_SIZE}")
    return int(value)


def cursor(parameters: dict[str, str], name: str, prefix: str = ids.PREFIX) -> str | None:
    """Return the ULID of a parameter that may be an id. Raises InvalidRequest, as all that follow."""
    value = parameters.get(name, "").removeprefix(prefix)
    if value and not ids.is_cursor(value):
        refuse(name, "must be a cursor from pagination.next or pagination.previous")
    return value or None


def _statuses(value: str) -> frozenset[Status]:
    names = value.split(",") if value else []
    if invalid := [name for name in names if name not in Status]:
        shown = ", ".join(invalid)[:SHOWN]
        refuse("filter[status]", f"Invalid status values: {shown}; expected {', '.join(Status)}")
    return frozenset(Status(name) for name in names)


def _tags(value: str) -> frozenset[str]:
    tags = frozenset(filter(None, value.split(",")))
    if len(tags) > MAX_TAGS:
        refuse("filter[tags]", f"must have at most {MAX_TAGS} tags")
    return tags


def _is_oldest_first(value: str) -> bool:
    if value not in ("", *SORTS):
        refuse("sort", f"must be {' or '.join(SORTS)}: newest or oldest first")
    return value == "createdAt"


def _yes_or_no(parameters: dict[str, str], name: str) -> bool | None:
    value = parameters.get(name, "")
    if value not in ("", "true", "false"):
        refuse(name, "must be true or false")
    return value == "true" if value else None


def _undelivered(parameters: dict[str, str]) -> bool:
    value = parameters.get("filter[undelivered]", "")
    if value not in ("", "true"):
        refuse("filter[undelivered]", "must be true, or absent for every token")
    others = [name for name, text in parameters.items() if text and name in PARAMETERS and name not in BESIDE_UNDELIVERED]
    if value and others:
        refuse("filter[undelivered]", f"goes with {', '.join(BESIDE_UNDELIVERED[1:])} alone, not with {others[0]}")
    return bool(value)


def start(parameters: dict[str, str], name: str, now: int) -> int | None:
    """Return the later one of a filter's `from` and the start of its `period`."""
    first = instant(parameters, f"{name}[from]")
    if period := parameters.get(f"{name}[period]"):
        return max(first or 0, now - _milliseconds(period, f"{name}[period]"))
    return first


def instant(parameters: dict[str, str], name: str) -> int | None:
    """Return a parameter's instant in epoch milliseconds, None if it is absent."""
    value = parameters.get(name, "")
    if not value:
        return None
    if re.fullmatch(r"\d{1,15}", value, re.ASCII) and len(value) != len("2030"):
        return min(int(value), timeouts.LATEST)
    try:
        at = timeouts.date(value)
    except InvalidTimeout:
        at = None
    if at is None:
        refuse(name, "Invalid date: must be epoch milliseconds or a date such as 2030-01-31T18:00:00Z (ISO 8601)")
    return max(at, 0)


def _milliseconds(period: str, name: str) -> int:
    if re.fullmatch(r"\d{1,15}", period, re.ASCII):
        return int(period)
    total, at = 0.0, 0
    while at < len(period) and (part := _PERIOD_PART.match(period, at)):
        unit = next(name for name in _UNITS if part[name])
        total, at = total + float(part["number"]) * _UNITS[unit], part.end()
    if at < len(period):
        refuse(name, 'must be a duration such as "30m", "24h", "7d" or "1 week"')
    return int(min(total, _LONGEST_AGO))


def refuse(name: str, what: str) -> Never:
    """Raises InvalidRequest, which names the parameter."""
    raise InvalidRequest(f"Query Error: {name} {what}")
