"""What a `page` may be written with: shapes of values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from waitpoints import timeouts
from waitpoints.api.page.definition import TRANSLATED
from waitpoints.api.page.markup import printable
from waitpoints.errors import InvalidPage, InvalidTimeout
from waitpoints.unknown_names import shown, unknown

LONGEST = 3_153_600_000_000  # milliseconds: 36,500 days, so that no instant is beyond the year 9999


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
    if printable(value) != value:
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


def of_name(path: str, name: str) -> str:
    """Return the path of a member, such as `page.fields.properties.amount`."""
    return f"{path}.{shown(printable(name))}"
