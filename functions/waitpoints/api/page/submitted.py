"""What a `page` may be written with: shapes of values, and texts that can be shown."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import category

from waitpoints import timeouts
from waitpoints.errors import InvalidPage, InvalidTimeout
from waitpoints.unknown_names import shown, unknown

LONGEST = 3_153_600_000_000  # milliseconds: 36,500 days, so that no instant is beyond the year 9999
TRANSLATED = ("title", "text", "label", "description")  # members that may have a text for each language of the page
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab, line feed and carriage return
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_DIRECTIONS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # overrides, embeddings and isolates
MAX_MARKS = 5  # on one letter: more reach into the line above
_MAYBE_MARKS = re.compile(rf"[^\w\s]{{{MAX_MARKS + 1},}}")


@dataclass(frozen=True, slots=True)
class Text:
    """A text that can be shown. An id has no line breaks, tabs and outer spaces."""

    longest: int
    shortest: int = 1
    is_id: bool = False


@dataclass(frozen=True, slots=True)
class Fitting:
    """A value that fits. `expected` says which."""

    fits: Callable[[Any], bool]
    expected: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    each: "Shape"
    most: int
    least: int = 0


@dataclass(frozen=True, slots=True)
class Members:
    """An object. A member without a shape is checked elsewhere."""

    known: "Mapping[str, Shape | None]"
    needed: tuple[str, ...] = ()
    kind: str = "field"


@dataclass(frozen=True, slots=True)
class NamedFields:
    """An object of fields, which have names of the caller's own."""

    name: Text
    each: "Shape"
    most: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """A value whose shape depends on it. A text says what is expected instead."""

    shape_of: "Callable[[Any], Shape | str]"


Shape = Text | Fitting | Items | Members | NamedFields | Chosen


def check_shape(value: Any, shape: Shape, path: str) -> None:
    """Raises InvalidPage unless the value has the shape."""
    match shape:
        case Text():
            _check_text(value, shape, path)
        case Fitting(fits, expected):
            if not fits(value):
                raise InvalidPage(path, expected)
        case Items(each, most, least):
            if not isinstance(value, list) or not least <= len(value) <= most:
                expected = f"a list of {least} to {most} items" if least else f"at most {most} items"
                raise InvalidPage(path, f"expected {expected}")
            for index, item in enumerate(value):
                check_shape(item, each, f"{path}[{index}]")
        case Members():
            _check_members(value, shape, path)
        case NamedFields():
            _check_named_fields(value, shape, path)
        case Chosen(shape_of):
            chosen = shape_of(value)
            if isinstance(chosen, str):
                raise InvalidPage(path, chosen)
            check_shape(value, chosen, path)


def _check_members(value: Any, shape: Members, path: str) -> None:
    if not isinstance(value, dict):
        raise InvalidPage(path, "expected an object")
    for name in value:
        if name not in shape.known:
            raise InvalidPage(path, unknown(printable(name), shape.known, shape.kind))
    for name, own in shape.known.items():
        if own and (name in value or name in shape.needed):
            check_shape(value.get(name), own, f"{path}.{name}")


def _check_named_fields(value: Any, shape: NamedFields, path: str) -> None:
    if not isinstance(value, dict) or not 1 <= len(value) <= shape.most:
        raise InvalidPage(path, f"expected an object of 1 to {shape.most} fields")
    for name, item in value.items():
        own_path = of_name(path, name)
        check_shape(name, shape.name, f"{own_path} (its name)")
        check_shape(item, shape.each, own_path)


def _check_text(value: Any, shape: Text, path: str) -> None:
    if isinstance(value, dict) and path.rpartition(".")[2] in TRANSLATED:
        raise InvalidPage(path, "expected a text, or an object that has one for each language of page.language")
    if not isinstance(value, str) or not shape.shortest <= len(value) <= shape.longest:
        raise InvalidPage(path, f"expected a text of {shape.shortest} to {shape.longest:,} characters")
    if shape.shortest and not value.strip():
        raise InvalidPage(path, "expected more than white space")
    if _CONTROLS.search(value) or _SURROGATES.search(value):
        raise InvalidPage(path, "control characters and halves of surrogate pairs are not accepted")
    if shape.is_id and (any(character in "\t\n\r" for character in value) or value != value.strip()):
        raise InvalidPage(path, "line breaks, tabs and outer spaces are not accepted")


def _is_duration(value: Any) -> bool:
    try:
        return isinstance(value, str) and 0 < timeouts.duration(value) <= LONGEST
    except InvalidTimeout:
        return False


DURATION = Fitting(_is_duration, 'expected a duration from the create, such as "4h" or "1d" (w, d, h, m, s), of at most 36500d')
FLAG = Fitting(lambda value: isinstance(value, bool), "expected true or false")


def printable(text: str) -> str:
    """Return a text in which nothing is a control character or half of a surrogate pair, for inputs and error messages."""
    if _is_plain(text):
        return text
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("\ufffd", text))


def visible(text: str) -> str:
    """Return a text that reads as it is written: what would reorder it is `\\u202e`, and no letter draws over other lines."""
    if _is_plain(text):
        return text
    escaped = _DIRECTIONS.sub(lambda found: f"\\u{ord(found[0]):04x}", printable(text))
    return _MAYBE_MARKS.sub(_with_few_marks, escaped)


def _is_plain(text: str) -> bool:
    """Whether a text has nothing to replace, as most have."""
    return text.isascii() and text.isprintable()


def _with_few_marks(found: re.Match[str]) -> str:
    """Return it with at most MAX_MARKS marks in a row. Spacing marks and format characters between them end no row."""
    kept, marks = "", 0
    for character in found[0]:
        kind = category(character)
        is_mark = kind in ("Mn", "Me")
        marks = marks + is_mark if is_mark or kind in ("Mc", "Cf") else 0
        kept += "" if is_mark and marks > MAX_MARKS else character
    return kept


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def of_name(path: str, name: str) -> str:
    """Return the path of a member, such as `page.fields.properties.amount`."""
    return f"{path}.{shown(printable(name))}"
