"""What a `page` may be written with: objects with known members, and texts that can be shown."""

import re
from collections.abc import Collection
from typing import Any

from waitpoints import timeouts
from waitpoints.errors import InvalidPage, InvalidTimeout
from waitpoints.unknown_names import shown, unknown

LONGEST = 3_153_600_000_000  # milliseconds: 36,500 days, so that no instant is beyond the year 9999
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab, line feed and carriage return
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def check_members(value: Any, place: str, known: Collection[str], kind: str = "field") -> dict[str, Any]:
    """Return the object. Raises InvalidPage if it is no object, or has a member that is not `known`."""
    if not isinstance(value, dict):
        raise InvalidPage(place, "expected an object")
    for name in value:
        if name not in known:
            raise InvalidPage(place, unknown(printable(name), known, kind))
    return value


def check_items(value: Any, place: str, most: int, least: int = 0) -> list[tuple[Any, str]]:
    """Return the items of a list, each with its place. Raises InvalidPage."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise InvalidPage(place, f"expected a list of {least} to {most} items" if least else f"expected at most {most} items")
    return [(item, f"{place}[{index}]") for index, item in enumerate(value)]


def check_text(value: Any, place: str, longest: int, shortest: int = 1) -> str:
    """Return a text that can be shown. Raises InvalidPage."""
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        raise InvalidPage(place, f"expected a text of {shortest} to {longest:,} characters")
    if shortest and not value.strip():
        raise InvalidPage(place, "expected more than white space")
    if _CONTROLS.search(value) or _SURROGATES.search(value):
        raise InvalidPage(place, "control characters and halves of surrogate pairs are not accepted")
    return value


def check_duration(value: Any, place: str) -> int:
    """Return a duration in milliseconds. Raises InvalidPage."""
    try:
        milliseconds = timeouts.duration(value) if isinstance(value, str) else 0
    except InvalidTimeout:
        milliseconds = 0
    if not 0 < milliseconds <= LONGEST:
        expected = 'expected a duration from the create, such as "4h" or "1d" (w, d, h, m, s), of at most 36500d'
        raise InvalidPage(place, expected)
    return milliseconds


def printable(text: str) -> str:
    """Return a text in which nothing is a control character or half of a surrogate pair, for HTML and error messages."""
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("\ufffd", text))


def without_bidi_controls(text: str) -> str:
    """Return a text that does not reorder what stands around it, for places where it cannot be isolated."""
    return text.translate(_BIDI)


def of_name(place: str, name: str) -> str:
    """Return the place of a member, such as `page.fields.properties.amount`."""
    return f"{place}.{shown(printable(name))}"
