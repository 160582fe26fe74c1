"""JSON as text: validate it, and find the text of an object's members.

A payload is passed on as text, so big integers, long decimals, duplicate keys and `__proto__` reach the waiting
execution unchanged. RFC 8259 defines what is valid: NaN and Infinity are not.
"""

import gc
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from json.decoder import JSONDecoder
from typing import Any, Never

MAX_DEPTH = 500  # a parser with the usual limit of 1,000 levels can still read it inside an envelope


class NotJson(ValueError):
    """The text is not JSON, or nests deeper than MAX_DEPTH."""


def parse(text: str, parse_int: Callable[[str], Any] | None = None) -> Any:
    """The value of a JSON text; `parse_int` makes its whole numbers of their digits. Raises NotJson."""
    return _decode(JSONDecoder(parse_constant=_refuse_constant, parse_int=parse_int) if parse_int else _decoder, text)


def check(text: str) -> None:
    """Raises NotJson unless the text is JSON. Numbers may have any size."""
    _decode(_number_blind_decoder, text)


def members(text: str) -> dict[str, str]:
    """Return the text of each member's value in a JSON object. If a name is repeated, the last one counts. Raises NotJson."""
    with _reading():
        found, end = _members(text, _skip_space(text, 0))
        if _skip_space(text, end) != len(text):
            raise NotJson(f"more text after the value at character {end}")
        _check_depth(text)
    return found


def dumps(value: Any) -> str:
    """Return compact JSON. Escapes non-ASCII only if a lone surrogate, which UTF-8 can't encode, requires it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def _refuse_constant(name: str) -> Never:
    raise NotJson(f"{name} is not JSON")


_decoder = JSONDecoder(parse_constant=_refuse_constant)
_number_blind_decoder = JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)
_SPACE = {" ", "\t", "\n", "\r"}
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", bytes([1, 1, 255, 255]))  # as signed bytes, +1 and -1


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
        raise NotJson(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
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
        name, at = _number_blind_decoder.raw_decode(text, at)
        start = _skip_space(text, _expect(":", text, _skip_space(text, at)))
        _, at = _number_blind_decoder.raw_decode(text, start)
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
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise NotJson(_TOO_DEEP)


def _depth(text: str) -> int:
    outside_strings = _STRING.sub("", text) if '"' in text else text
    steps = outside_strings.encode("utf-8", "surrogatepass").translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)
