"""JSON exactly as received: what is valid, and where a member's text stands.

A payload is handed on as its own text, so that big integers, long decimals, duplicate keys and `__proto__` reach the
waiting execution as the sender wrote them. RFC 8259 decides what is JSON: NaN and Infinity are not.
"""

import json
import re
from json.decoder import JSONDecoder
from typing import Any, Never

MAX_DEPTH = 500  # a reader with a usual limit of 1,000 levels must still read it inside its own envelope


class NotJson(ValueError):
    """The text is not JSON, or nests deeper than MAX_DEPTH."""


def parse(text: str) -> Any:
    """The value of a JSON text. Raises NotJson."""
    return _decode(_decoder, text)


def check(text: str) -> None:
    """Raises NotJson unless the text is JSON, whatever the size of its numbers."""
    _decode(_number_blind_decoder, text)


def members(text: str) -> dict[str, str]:
    """The text of each member's value in a JSON object; of a repeated name the last one counts. Raises NotJson."""
    if not isinstance(_decode(_number_blind_decoder, text), dict):
        raise NotJson
    found: dict[str, str] = {}
    at = _skip_space(text, _skip_space(text, 0) + 1)
    while text[at] != "}":
        name, at = _number_blind_decoder.raw_decode(text, at)
        start = _skip_space(text, _skip_space(text, at) + 1)
        _, at = _number_blind_decoder.raw_decode(text, start)
        found[name] = text[start:at]
        at = _skip_space(text, at)
        if text[at] == ",":
            at = _skip_space(text, at + 1)
    return found


def dumps(value: Any) -> str:
    """JSON without spaces. Only half of a surrogate pair, which has no UTF-8, makes it escape what is not ASCII."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def _refuse_constant(name: str) -> Never:
    raise ValueError(name)


_decoder = JSONDecoder(parse_constant=_refuse_constant)
_number_blind_decoder = JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)
_SPACE = (" ", "\t", "\n", "\r")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]')


def _decode(decoder: JSONDecoder, text: str) -> Any:
    try:
        value = decoder.decode(text)
    except (ValueError, RecursionError):
        raise NotJson from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise NotJson
    return value


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACE:
        at += 1
    return at


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in ("[", "{"):
            depth += 1
            deepest = max(depth, deepest)
        elif match[0] in ("]", "}"):
            depth -= 1
    return deepest
