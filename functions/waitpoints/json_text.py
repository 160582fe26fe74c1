"""JSON as text: validate it, and find the text of an object's members.

A payload is passed on as text, so big integers, long decimals, duplicate keys and `__proto__` reach the waiting
execution unchanged. RFC 8259 defines what is valid: NaN and Infinity are not.
"""

import gc
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import Field, fields
from functools import cache
from itertools import accumulate
from json import JSONDecoder, JSONEncoder
from typing import Any, Never, Self, cast

MAX_DEPTH = 500  # a parser with the usual limit of 1,000 levels can still read it inside an envelope


class NotJson(ValueError):
    """The text is not JSON, or nests deeper than MAX_DEPTH."""


class RepeatedName(NotJson):
    """An object has two members of one name: readers differ in which of them counts. The message has the name."""

    def __init__(self, name: str) -> None:
        from waitpoints.unknown_names import shown

        super().__init__(f'"{shown(name)}" comes twice')


ParseNumber = Callable[[str], Any]


def parse(text: str, parse_int: ParseNumber | None = None, parse_float: ParseNumber | None = None) -> Any:
    """The value of a JSON text; `parse_int` and `parse_float` make its numbers of their digits. Raises NotJson."""
    if not (parse_int or parse_float):
        return _decode(_decoder, text)
    return _decode(JSONDecoder(parse_constant=_refuse_constant, parse_int=parse_int, parse_float=parse_float), text)


def parse_unambiguous(text: str, kept: Collection[str] = ()) -> Any:
    """As `parse`. Raises RepeatedName where it would take the last one, but not within an object's members `kept`."""
    try:
        return _decode(_unambiguous, text)
    except RepeatedName:
        if not kept:
            raise
    for name, value in members(text).items():
        if name not in kept:
            _decode(_unambiguous, value)
    return parse(text)


def check(text: str) -> None:
    """Raises NotJson unless the text is JSON. Numbers may have any size."""
    _decode(_checker, text)


def members(text: str) -> dict[str, str]:
    """Return the text of each member's value in a JSON object. Raises NotJson, and RepeatedName."""
    with _reading():
        found, end = _members(text, _skip_space(text, 0))
        if _skip_space(text, end) != len(text):
            raise NotJson(f"more text after the value at character {end}")
        _check_depth(text)
    return found


def dumps(value: Any) -> str:
    """Return compact JSON. Escapes non-ASCII only if a lone surrogate, which UTF-8 can't encode, requires it."""
    text = _encoder.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that have a value. Items and answers leave out the others."""
    return {name: value for name, value in members.items() if value is not None}


class Called(str):
    """The name in answers of a field that has another one in the table."""


SHOWN = ""  # of a field whose name says all


Shown = tuple["Field[Any]", str, Callable[[Any], Any] | None, tuple[Any, ...]]
"""A field that answers show, its name there, what makes its value theirs, and all that its class says of it."""


@cache
def shown_fields(of: type[Any]) -> list[Shown]:
    """Return the fields of a dataclass that are `Annotated`."""
    found: list[Shown] = []
    for field in fields(of):
        if meaning := getattr(field.type, "__metadata__", ()):
            name = next((str(it) for it in meaning if isinstance(it, Called)), _camel(field.name))
            found.append((field, name, next(filter(callable, meaning), None), meaning))
    return found


class Stored:
    """A dataclass whose fields are stored by their names in camel case, without those that have their defaults.

    Answers show what is `Annotated`. Beside it stand its form there, its limits and what it means:

        at: Annotated[int, iso, Called("createdAt"), "When it came, or was sent again."]
    """

    __slots__ = ()

    def shown_members(self, without: str | None = None) -> dict[str, Any]:
        """Return what answers show, but for what is None, or empty by default, or means `without`."""
        found = {}
        for field, name, form, meaning in shown_fields(cast(Any, type(self))):
            value = getattr(self, field.name)
            if without not in meaning and value is not None and (value or value != field.default):
                found[name] = form(value) if form else value
        return found

    def members(self) -> dict[str, Any]:
        found = {}
        for name, (stored, default) in self._fields().items():
            if (value := getattr(self, name)) != default:
                found[stored] = value
        return found

    @classmethod
    @cache
    def _fields(cls) -> dict[str, tuple[str, Any]]:
        """Return the name in the table and the default of each field."""
        return {field.name: (_camel(field.name), field.default) for field in fields(cast(Any, cls))}

    @classmethod
    @cache
    def names(cls) -> dict[str, str]:
        """Return the names in the table by those of the fields."""
        return {name: stored for name, (stored, _) in cls._fields().items()}

    @classmethod
    @cache
    def _by_stored_name(cls) -> dict[str, str]:
        return {stored: name for name, stored in cls.names().items()}

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Read what `members` wrote, and pass over what else there is."""
        names = cls._by_stored_name()
        return cls(**{names[stored]: value for stored, value in members.items() if stored in names})


@cache
def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def object_of(members: Mapping[str, str]) -> str:
    """Return the JSON text of an object. Its members' values are JSON texts and stay as they are, digit for digit."""
    return f"{{{','.join(f'{dumps(name)}:{text}' for name, text in members.items())}}}"


def texts(members: Mapping[str, Any]) -> dict[str, str]:
    return {name: dumps(value) for name, value in members.items()}


def _refuse_constant(name: str) -> Never:
    raise NotJson(f"{name} is not JSON")


def _unrepeated(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise RepeatedName(name)
        found[name] = value
    return found


_encoder = JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_decoder = JSONDecoder(parse_constant=_refuse_constant)
_unambiguous = JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unrepeated)
# Keeps no number and no object, which would take most of the time and memory. `len` is the cheapest function for that.
_checker = JSONDecoder(parse_constant=_refuse_constant, parse_int=len, parse_float=len, object_pairs_hook=len)
_SPACE = {" ", "\t", "\n", "\r"}
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET_OR_QUOTE = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS = bytes.maketrans(b"[]", bytes([1, 255]))  # as signed bytes, +1 and -1
_PART = 256  # brackets


def _decode(decoder: JSONDecoder, text: str) -> Any:
    with _reading():
        value = decoder.decode(text)
        _check_depth(text)
    return value


@contextmanager
def _reading() -> Iterator[None]:
    """Turn the errors of Python's JSON parser into NotJson. No message repeats the text, which may be secret.

    Disables garbage collection: a body can hold millions of lists, and scanning them repeatedly triples the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    except ValueError:
        raise NotJson("a number has too many digits") from None
    finally:
        if collects:
            gc.enable()


def _members(text: str, at: int) -> tuple[dict[str, str], int]:
    """Return the members of the object that begins at index `at`, and the index after it."""
    if text[at : at + 1] != "{":
        raise NotJson("expected an object")
    found: dict[str, str] = {}
    at = _skip_space(text, at + 1)
    while text[at : at + 1] != "}":
        if found:
            at = _skip_space(text, _expect(",", text, at))
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        name, at = _checker.raw_decode(text, at)
        if name in found:
            raise RepeatedName(name)
        start = _skip_space(text, _expect(":", text, _skip_space(text, at)))
        _, at = _checker.raw_decode(text, start)
        found[name] = text[start:at]
        at = _skip_space(text, at)
    return found, at + 1


def _expect(character: str, text: str, at: int) -> int:
    if text[at : at + 1] != character:
        raise json.JSONDecodeError(f"Expecting {character!r} delimiter", text, at)
    return at + 1


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACE:
        at += 1
    return at


def _check_depth(text: str) -> None:
    """Raises NotJson if a JSON text nests too deeply.

    Most of its brackets are never looked at one by one: a part with few opening ones cannot reach the limit.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    brackets, depth = _brackets(text), 0
    for start in range(0, len(brackets), _PART):
        part = brackets[start : start + _PART]
        opening = part.count(b"[")
        if depth + opening > MAX_DEPTH and depth + _deepest(part) > MAX_DEPTH:
            raise NotJson(_TOO_DEEP)
        depth += opening - (len(part) - opening)


def _brackets(text: str) -> bytes:
    """Return the brackets of a JSON text that are not in strings, braces as square ones."""
    encoded = text.encode("utf-8", "surrogatepass")
    if b"\\" in encoded:
        encoded = encoded.replace(rb"\\", b"").replace(rb"\"", b"")
    marks = encoded.translate(_SQUARE, _NO_BRACKET_OR_QUOTE).replace(b'""', b"")  # whatever is in a string stays there
    return b"".join(marks.split(b'"')[::2])


def _deepest(brackets: bytes) -> int:
    return max(accumulate(memoryview(brackets.translate(_STEPS)).cast("b")))
