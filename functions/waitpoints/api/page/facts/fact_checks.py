"""The page's member `facts`: thirty facts in all, as a list of them, or of groups with a title.

{"label", "value", "format", "kind"}, where `format` is "number", "percent", "date", "instant", "link" or {"currency": "USD"}.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from waitpoints.api.page.facts import values
from waitpoints.api.page.facts.amount_checks import number_format
from waitpoints.api.page.shapes import Chosen, Fitting, Items, Members, Shape, Text

MAX_FACTS = 30
MAX_LABEL, MAX_VALUE, MAX_KIND = 100, 500, 100  # characters
MAX_URL = 2048  # characters

_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_MOST_DIGITS = 15  # that a double keeps
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(_DATE.pattern + r"T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})")
# The host is what a browser opens, as it is written: no user before it, nothing escaped, and nothing but ASCII.
_URL = re.compile(r"(?i:https?)://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?([/?#][\x21-\x7e]*)?")


def is_decimal(value: Any) -> bool:
    """Whether all digits of a value are known: those of a text, or of a number that a double keeps."""
    if isinstance(value, str):
        return _DECIMAL.fullmatch(value) is not None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    number = Decimal(repr(value))
    return len(number.as_tuple().digits) <= _MOST_DIGITS and _DECIMAL.fullmatch(f"{number:f}") is not None


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and _DATE.fullmatch(value) is not None and _parses(date.fromisoformat, value)


def _is_instant(value: Any) -> bool:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return False
    return _parses(lambda text: datetime.fromisoformat(text).astimezone(UTC), value)


def _parses(parse: Callable[[str], Any], value: str) -> bool:
    try:
        parse(value)
    except (ValueError, OverflowError):
        return False
    return True


_DIGITS = 'a decimal text such as "1500.00", of at most 18 digits before and after the point, or a number of at most 15 digits'
_NUMBER = Fitting(is_decimal, f"expected {_DIGITS}")
_TEXT_OR_NUMBER = Fitting(is_decimal, f"expected a text, or {_DIGITS.partition(', or ')[2]}")
_VALUES: dict[str | None, Shape] = {
    None: Chosen(lambda value: Text(MAX_VALUE) if isinstance(value, (str, dict)) else _TEXT_OR_NUMBER),
    values.DATE: Fitting(_is_date, 'expected a date, such as "2027-01-31"'),
    values.INSTANT: Fitting(_is_instant, 'expected an instant with its offset, such as "2027-01-31T09:30:00Z"'),
    values.LINK: Fitting(
        lambda value: isinstance(value, str) and len(value) <= MAX_URL and _URL.fullmatch(value) is not None,
        "expected an absolute URL of the scheme https or http, in ASCII (a host as in xn--mnchen-3ya.de), without a user, "
        f"of at most {MAX_URL:,} characters",
    ),
}
_FORMAT = number_format(values.DATE, values.INSTANT, values.LINK)


FACT: dict[str, Shape | None] = {
    "label": Text(MAX_LABEL),
    "value": None,
    "format": _FORMAT,
    "kind": Text(MAX_KIND),
}


def _fact(value: Any) -> Shape:
    kind = value.get("format") if isinstance(value, dict) else None
    number = kind is not None and not isinstance(kind, str)
    shape = _NUMBER if number else _VALUES.get(kind, _NUMBER)
    members: dict[str, Shape | None] = {**FACT, "value": shape}
    if kind != values.LINK:
        del members["kind"]
    return Members(
        members, needed=("label", "value"), kind="member of a fact" + (f" ({kind})" if isinstance(kind, str) else "")
    )


_FACTS = Items(Chosen(_fact), MAX_FACTS, 1)
GROUP = Members({"title": Text(MAX_LABEL), "facts": _FACTS}, needed=("title", "facts"), kind="member of a group")


def _facts(value: Any) -> Shape | str:
    groups = [one["facts"] for one in value if isinstance(one, dict) and "facts" in one] if isinstance(value, list) else []
    if sum(len(facts) for facts in groups if isinstance(facts, list)) > MAX_FACTS:
        return f"expected at most {MAX_FACTS} facts, in all groups"
    return Items(GROUP, MAX_FACTS, 1) if groups else _FACTS


FACTS = Chosen(_facts)
