"""Intrinsic functions: States Language, "Intrinsic Functions", and the guide's page of that name.

"Recorded" names a test of LocalStack's, under `tests/aws/services/stepfunctions/v2`, whose answers AWS gave.
"""

import base64
import hashlib
import json
import math
import random
import re
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from waitpoints_local.interpreter.bare import failure, part, put_in_place_of
from waitpoints_local.interpreter.paths import value_at

INTRINSIC = "States.IntrinsicFailure"
_ROUNDED = (float, int)
_LARGEST_TEXT, _LARGEST_RANGE = 10_000, 1_000
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_BRACKETS = rf"\[(?:[^][\"']|{_QUOTED}|\[(?:[^][\"']|{_QUOTED})*\])*\]"
_TOKEN = re.compile(
    rf"""\s*(?: (?P<call>States\.\w+)\( | (?P<text>'(?:[^'\\]|\\['{{}}\\])*') | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>true|false|null)\b | (?P<path>\$(?:[^][,()"'\s]|{_BRACKETS})*) | (?P<mark>[,)]) )""",
    re.VERBOSE | re.DOTALL,
)
"""A path ends at a comma or bracket that is not within brackets or quotes."""
_MAKE_TEXTS = {
    f"States.{name}" for name in ("Format", "JsonToString", "ArrayGetItem", "Base64Encode", "Base64Decode", "Hash", "UUID")
}
_WORDS = {"true": True, "false": False, "null": None}
Node = Callable[[Any], Any]
"""A part of an expression: what it comes to in an environment."""


def evaluate_intrinsic_functions() -> None:
    """Evaluate them here. moto's grammar knows no null, decimal or escape, and its functions fail with no error of AWS."""
    part("asl.parse.intrinsic.intrinsic_parser").IntrinsicParser.parse = staticmethod(lambda text: (_Function(text), None))
    put_in_place_of("_STRING_RETURN_FUNCTIONS", _MAKE_TEXTS)  # which a Fail state asks for


class _Function:
    def __init__(self, text: str) -> None:
        self.text = json.loads(f'"{text}"')
        self.name = SimpleNamespace(name=self.text.partition("(")[0])
        self.node, end = _read(self.text, 0)
        if self.text[end:].strip():
            raise ValueError(f"'{self.text[end:]}' follows the function")

    def eval(self, env: Any) -> None:
        try:
            env.stack.append(self.node(env))
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            about = f"The function '{self.text}' had the following error: {error}"
            raise failure(env, INTRINSIC, about) from error


def _read(text: str, at: int) -> tuple[Node, int]:
    """Read an argument or a call. Returns where it ends."""
    token = _TOKEN.match(text, at)
    if token is None or token["mark"]:
        raise ValueError(f"There is no argument at '{text[at:]}'")
    if token["call"]:
        return _read_call(text, token["call"], token.end())
    if token["path"]:
        return (lambda env: value_at(token["path"], env)), token.end()
    if token["text"]:
        return _Text(token["text"][1:-1]), token.end()
    value = _WORDS[token["word"]] if token["word"] else json.loads(token["number"])
    return (lambda _: value), token.end()


class _Text:
    """A text, with its escapes, by which Format knows its places."""

    def __init__(self, raw: str) -> None:
        self.raw = raw

    def __call__(self, _: Any) -> str:
        return re.sub(r"\\(.)", r"\1", self.raw, flags=re.DOTALL)


def _read_call(text: str, name: str, at: int) -> tuple[Node, int]:
    arguments: list[Node] = []
    mark = _TOKEN.match(text, at)
    while not (mark and mark["mark"] == ")"):
        if arguments:
            if not (mark and mark["mark"] == ","):
                raise ValueError(f"There is no ',' at '{text[at:]}'")
            at = mark.end()
        argument, at = _read(text, at)
        arguments.append(argument)
        mark = _TOKEN.match(text, at)
    if name == "States.Format":
        return _formatting(arguments), mark.end()
    function, kinds = _FUNCTIONS[name]
    fitting = kinds if name != "States.MathRandom" or len(arguments) > 2 else kinds[:2]
    if len(fitting) != len(arguments) and name != "States.Array":
        raise ValueError(f"{name} takes {len(kinds)} arguments")

    def call(env: Any) -> Any:
        given = [argument(env) for argument in arguments]
        return function(*given) if name == "States.Array" else function(*map(_fitting, given, fitting))

    return call, mark.end()


def _fitting(value: Any, kind: Any) -> Any:
    if kind is _ROUNDED and isinstance(value, float):
        value = math.floor(value + 0.5)
    if kind is not object and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
        raise TypeError(f"Invalid argument {json.dumps(value)}")
    return value


def _formatting(arguments: list[Node]) -> Node:
    def call(env: Any) -> str:
        first, *rest = arguments
        template = first.raw if isinstance(first, _Text) else first(env)
        if not isinstance(template, str):
            raise TypeError("The template is no text")
        values = iter([_as_text(argument(env)) for argument in rest])
        parts = re.findall(r"\\.|\{\}|.", template, re.DOTALL)
        if parts.count("{}") != len(rest):
            raise ValueError("There are not as many values as places")
        return "".join(next(values) if part == "{}" else part[-1] for part in parts)

    return call


def _as_text(value: Any) -> str:
    """Recorded: intrinsic_functions/test_generic.py."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_as_text(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_text, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _partition(array: list[Any], size: int) -> list[Any]:
    if size < 1:
        raise ValueError("The chunk size must be positive")
    return [array[start : start + size] for start in range(0, len(array), size)]


def _range(first: int, last: int, step: int) -> list[int]:
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > _LARGEST_RANGE:
        raise ValueError(f"The array has more than {_LARGEST_RANGE} items")
    return list(numbers)


def _item(array: list[Any], index: int) -> Any:
    if index < 0:
        raise IndexError(index)
    return array[index]


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _unique(array: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for member in array:
        if not any(_same(member, it) for it in kept):
            kept.append(member)
    return kept


def _merge(one: dict[str, Any], other: dict[str, Any], is_deep: bool) -> dict[str, Any]:
    if is_deep:
        raise ValueError("Only the shallow mode is supported")
    return one | other


def _hash(text: Any, algorithm: str) -> str:
    names = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
    written = text if isinstance(text, str) else json.dumps(text, separators=(",", ":"))
    return hashlib.new(names[algorithm], _bounded(written).encode(), usedforsecurity=False).hexdigest()


def _bounded(text: str) -> str:
    if len(text) > _LARGEST_TEXT:
        raise ValueError(f"The text has more than {_LARGEST_TEXT} characters")
    return text


def _random(start: int, end: int, seed: int | None = None) -> int:
    return random.Random(seed).randrange(start, end)  # noqa: S311 - no secret


def _from_json(text: str) -> Any:
    """Of a blank text: null (recorded: intrinsic_functions/test_json_manipulation.py, test_string_to_json)."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse) if text.strip() else None


_FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "States.Array": (lambda *members: list(members), ()),
    "States.ArrayPartition": (_partition, (list, _ROUNDED)),
    "States.ArrayContains": (lambda array, value: any(_same(member, value) for member in array), (list, object)),
    "States.ArrayRange": (_range, (_ROUNDED,) * 3),
    "States.ArrayGetItem": (_item, (list, int)),
    "States.ArrayLength": (len, (list,)),
    "States.ArrayUnique": (_unique, (list,)),
    "States.Base64Encode": (lambda text: base64.b64encode(_bounded(text).encode()).decode(), (str,)),
    "States.Base64Decode": (lambda text: base64.b64decode(_bounded(text), validate=True).decode(), (str,)),
    "States.Hash": (_hash, (object, str)),
    "States.JsonMerge": (_merge, (dict, dict, bool)),
    "States.StringToJson": (_from_json, (str,)),
    "States.JsonToString": (lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False), (object,)),
    "States.MathRandom": (_random, (_ROUNDED,) * 3),
    "States.MathAdd": (lambda one, other: one + other, (_ROUNDED,) * 2),
    "States.StringSplit": (lambda text, marks: [it for it in re.split(f"[{re.escape(marks)}]", text) if it], (str, str)),
    "States.UUID": (lambda: str(uuid.uuid4()), ()),
}
