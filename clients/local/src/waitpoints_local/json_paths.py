"""JSONPath as Step Functions reads it, of which a state machine's paths are made.

A path without a wildcard, slice, union, filter or descent is definite: it leads to one value, or to nothing, which is an error.
Any other gathers what it finds in an array, which may be empty (States Language, "Paths"), if there is anything to look into.
AWS evaluates paths with Jayway's JsonPath, whose functions, such as `length()`, are not here.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Step = Callable[[list[Any], Any], list[Any]]
"""It leads from values, within a root, to values."""
_NAME = re.compile(r"[^.\[\]()'\"\s,?*]+")
_NAME_IN_FILTER = re.compile(r"[^.\[\]()'\"\s,?*=!<>&|~]+")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_SLICE = re.compile(r"(-?\d+)?\s*:\s*(-?\d+)?")
_INDICES = re.compile(r"-?\d+(?:\s*,\s*-?\d+)*")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_COMPARISON = re.compile(r"==|!=|<=|>=|<|>")
_WORDS = {"true": True, "false": False, "null": None}
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class UnreadablePath(ValueError):
    """The path is not JSONPath, or of a kind that is not read here."""


class NoSuchValue(LookupError):
    """A definite path leads to nothing."""


@dataclass(frozen=True)
class _Path:
    way: tuple[Step, ...]
    """The steps up to the first that may lead to several values."""
    rest: tuple[Step, ...]

    def of(self, value: Any, root: Any) -> list[Any]:
        return _follow(self.rest, _follow(self.way, [value], root), root)


def _follow(steps: tuple[Step, ...], values: list[Any], root: Any) -> list[Any]:
    for step in steps:
        values = step(values, root)
    return values


def value_at(path: str, root: Any) -> Any:
    """Return what a path leads to."""
    parsed = _parse(path)
    found = _follow(parsed.way, [root], root)
    if not found:
        raise NoSuchValue(path)
    return _follow(parsed.rest, found, root) if parsed.rest else found[0]


def end_of_path(text: str, start: int) -> int:
    """Return where a path ends that begins within a text, as an argument of a function does."""
    reader = _Reader(text, start)
    _read_path(reader)
    return reader.place


@lru_cache(1000)
def _parse(path: str) -> _Path:
    reader = _Reader(path)
    parsed = _read_path(reader)
    if reader.place != len(path):
        raise UnreadablePath(path)
    return parsed


@dataclass
class _Reader:
    text: str
    place: int = 0
    filters: int = 0
    """Within how many filters it reads."""

    def take(self, what: str) -> bool:
        if not self.text.startswith(what, self.place):
            return False
        self.place += len(what)
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.place)
        self.place = found.end() if found else self.place
        return found

    def need(self, what: str) -> None:
        self.skip_blanks()
        if not self.take(what):
            raise UnreadablePath(self.text)

    def skip_blanks(self) -> None:
        while self.text[self.place : self.place + 1].isspace():
            self.place += 1


def _read_path(reader: _Reader) -> _Path:
    """Read `$` or `@` and the steps after it."""
    if not (reader.take("$") or reader.take("@")):
        raise UnreadablePath(reader.text)
    way: list[Step] = []
    rest: list[Step] = []
    while True:
        if reader.take(".."):
            rest.append(_descend)
            step, is_one = _read_bracket(reader) if reader.take("[") else _read_name(reader)
        elif reader.take("."):
            step, is_one = _read_bracket(reader) if reader.take("[") else _read_name(reader)
        elif reader.take("["):
            step, is_one = _read_bracket(reader)
        else:
            return _Path(tuple(way), tuple(rest))
        (way if is_one and not rest else rest).append(step)


def _read_name(reader: _Reader) -> tuple[Step, bool]:
    if reader.take("*"):
        return _all_within, False
    name = reader.match(_NAME_IN_FILTER if reader.filters else _NAME)
    if name is None or reader.text.startswith("(", reader.place):
        raise UnreadablePath(reader.text)
    return _field(name[0]), True


def _read_bracket(reader: _Reader) -> tuple[Step, bool]:
    """Read what stands between `[` and `]`. Returns it, and whether it leads to one value."""
    reader.skip_blanks()
    is_one = False
    step: Step
    if reader.take("*"):
        step = _all_within
    elif reader.take("?"):
        reader.need("(")
        reader.filters += 1
        step = _filter(_read_condition(reader))
        reader.filters -= 1
        reader.need(")")
    elif quoted := reader.match(_QUOTED):
        step, is_one = _field(_text(quoted[0])), True
    elif bounds := reader.match(_SLICE):
        step = _slice(*(int(bound) if bound else None for bound in bounds.groups()))
    elif indices := reader.match(_INDICES):
        places = [int(place) for place in indices[0].split(",")]
        step, is_one = _items(places), len(places) == 1
    else:
        raise UnreadablePath(reader.text)
    reader.need("]")
    return step, is_one


def _text(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted[1:-1])


def _field(name: str) -> Step:
    return lambda values, _: [value[name] for value in values if isinstance(value, dict) and name in value]


def _items(places: list[int]) -> Step:
    """Beyond the end there is nothing: `IsPresent` of `$.list[0]` is how state machines ask if a list is empty."""

    def of(value: list[Any]) -> list[Any]:
        return [value[place] for place in places if -len(value) <= place < len(value)]

    return lambda values, _: [item for value in values if isinstance(value, list) for item in of(value)]


def _slice(start: int | None = None, end: int | None = None) -> Step:
    return lambda values, _: [item for value in values if isinstance(value, list) for item in value[start:end]]


def _all_within(values: list[Any], _: Any) -> list[Any]:
    return [member for value in values for member in _members(value)]


def _members(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _descend(values: list[Any], root: Any) -> list[Any]:
    """Return the values and all that is within them."""
    return [it for value in values for it in (value, *_descend(_members(value), root))]


def _filter(holds: Callable[[Any, Any], bool]) -> Step:
    def kept(value: Any, root: Any) -> list[Any]:
        members = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        return [member for member in members if holds(member, root)]

    return lambda values, root: [member for value in values for member in kept(value, root)]


Condition = Callable[[Any, Any], bool]


def _read_condition(reader: _Reader) -> Condition:
    """Read terms that `||` joins, each of which are conditions that `&&` joins."""
    terms = [_read_term(reader)]
    while _take_after_blanks(reader, "||"):
        terms.append(_read_term(reader))
    return lambda value, root: any(term(value, root) for term in terms)


def _read_term(reader: _Reader) -> Condition:
    conditions = [_read_comparison(reader)]
    while _take_after_blanks(reader, "&&"):
        conditions.append(_read_comparison(reader))
    return lambda value, root: all(condition(value, root) for condition in conditions)


def _take_after_blanks(reader: _Reader, what: str) -> bool:
    reader.skip_blanks()
    return reader.take(what)


def _read_comparison(reader: _Reader) -> Condition:
    if _take_after_blanks(reader, "!"):
        inverted = _read_comparison(reader)
        return lambda value, root: not inverted(value, root)
    if reader.take("("):
        inner = _read_condition(reader)
        reader.need(")")
        return inner
    left = _read_operand(reader)
    reader.skip_blanks()
    sign = reader.match(_COMPARISON)
    if sign is None:
        return lambda value, root: bool(left(value, root))
    right = _read_operand(reader)
    return lambda value, root: _compares(sign[0], left(value, root), right(value, root))


def _read_operand(reader: _Reader) -> Callable[[Any, Any], list[Any]]:
    """Read a path or a constant. It returns the values that it leads to."""
    reader.skip_blanks()
    start = reader.place
    if reader.text.startswith(("@", "$"), start):
        path, is_of_root = _read_path(reader), reader.text[start] == "$"
        return lambda value, root: path.of(root if is_of_root else value, root)
    if quoted := reader.match(_QUOTED):
        text = _text(quoted[0])
        return lambda _, __: [text]
    if number := reader.match(_NUMBER):
        figure = float(number[0]) if "." in number[0] else int(number[0])
        return lambda _, __: [figure]
    for word, meaning in _WORDS.items():
        if reader.take(word):
            return lambda _, __, meaning=meaning: [meaning]  # type: ignore[misc]  # mypy infers no default
    raise UnreadablePath(reader.text)


def _compares(sign: str, left: list[Any], right: list[Any]) -> bool:
    """Compare what two operands lead to. Nothing equals nothing else, and is neither smaller nor greater."""
    if sign in ("==", "!="):
        same = len(left) == len(right) and all(map(same_json, left, right))
        return same == (sign == "==")
    if len(left) != 1 or len(right) != 1:
        return False
    for kind in (str, (int, float)):
        if is_of(left[0], kind) and is_of(right[0], kind):
            return bool(_ORDERS[sign](left[0], right[0]))
    return False


def is_of(value: Any, kind: Any) -> bool:
    """Return whether a JSON value is of a type. Python takes a boolean for a number, JSON does not."""
    return isinstance(value, kind) and (kind in (bool, object) or not isinstance(value, bool))


def same_json(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal. For Python, true equals 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
