"""Evaluate a delivery to an endpoint: does it match, which key does it complete, and with what output?

`Evaluation.result` is what a delivery comes to. The properties before it are its steps, for a person who tests an endpoint.
No body makes an accepted expression raise an error. All expressions of one delivery share one budget of work.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from waitpoints import idempotency_key, json_text
from waitpoints.api.callbacks import callback_body, expressions
from waitpoints.api.callbacks.expressions import EvaluationFailed, Work
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.endpoint import WHOLE_BODY, Endpoint
from waitpoints.errors import InvalidRequest

MAX_NAMES = 40  # in a shape
OTHER_NAMES = "(other names)"
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,39}")
_EXACT = 2**53  # floats up to here have all the digits that were sent


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The key that the delivery completes, and the JSON text to complete it with."""

    key: str
    output: str


@dataclass(frozen=True, slots=True)
class NotMatching:
    reason: str


@dataclass(frozen=True, slots=True)
class NoKey:
    """`shape` is a JSON text (see `shape`)."""

    reason: str
    shape: str


@dataclass(frozen=True, slots=True)
class NoOutput:
    reason: str


class Evaluation:
    """One delivery to an endpoint. Every property is evaluated when it is first read. A reason has no value of the body."""

    def __init__(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str], raw_query: str) -> None:
        self.work = Work()
        self._endpoint = endpoint
        self._body = body
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._raw_query = raw_query

    @cached_property
    def result(self) -> Evaluated | NotMatching | NoKey | NoOutput:
        """What the delivery comes to: the first step that fails, or the key and the output."""
        if self.mismatch:
            return self.mismatch
        if isinstance(self.key, NoKey):
            return self.key
        if isinstance(self.output, NoOutput):
            return self.output
        return Evaluated(self.key, self.output)

    @cached_property
    def mismatch(self) -> NotMatching | None:
        """Why `completeWhen` excludes the delivery, or None if it matches."""
        if self._endpoint.complete_when is None:
            return None
        try:
            result = self._evaluate(self._endpoint.complete_when)
        except EvaluationFailed as failure:
            return NotMatching(f"completeWhen failed: {failure}")
        return None if expressions.is_true(result) else NotMatching("the result of completeWhen is null, false or empty")

    @cached_property
    def key(self) -> str | NoKey:
        """The token's key, of the endpoint's tag, its name, and the text or number that the expression gives."""
        try:
            return self._endpoint.key_of(self._key_text())
        except EvaluationFailed as failure:
            return NoKey(str(failure), shape(self.delivery["body"]))

    @cached_property
    def output(self) -> str | NoOutput:
        """The output's JSON text. `body` keeps the body's own text; any other expression writes its result anew."""
        if self._endpoint.output.strip() == WHOLE_BODY:
            return self._body_text
        try:
            return _json(self._evaluate(self._endpoint.output))
        except EvaluationFailed as failure:
            return NoOutput(f"output failed: {failure}")

    @cached_property
    def _body_text(self) -> str:
        return callback_body.output(self._body, self._headers.get("content-type", ""))

    @cached_property
    def delivery(self) -> Mapping[str, Any]:
        return expressions.scope(self._body_text, self._headers, self._raw_query)

    def _evaluate(self, expression: str) -> Any:
        return expressions.evaluate(expression, self.delivery, self.work)

    def _key_text(self) -> str:
        """Raises EvaluationFailed."""
        try:
            result = self._evaluate(self._endpoint.key)
        except EvaluationFailed as failure:
            raise EvaluationFailed(f"key failed: {failure}") from None
        text = text_in_key(result)
        if text is None:
            raise EvaluationFailed(f"key gives {_described(result)}; a text that is not empty, or a number, is needed")
        try:
            idempotency_key.check_key(self._endpoint.key_of(text))
        except InvalidRequest as error:
            raise EvaluationFailed(f"key gives a text that is not accepted: {error}") from None
        return text


def text_in_key(result: Any) -> str | None:
    """Return the text of an expression's result in a key, or None if it has none.

    A whole number has no dot and no exponent, even if it was sent as 123456.0 or 1e3, as JavaScript writes it. Only numbers
    whose digits are all known count: integers, and other numbers below 2**53.
    """
    match result:
        case bool():
            return None
        case int():
            return str(result)
        case float():
            if not abs(result) < _EXACT:  # also NaN
                return None
            return str(int(result)) if result.is_integer() else json_text.dumps(result)
        case str():
            return result or None
    return None


def shape(value: Any) -> str:
    """Return the JSON text of a value's names and types, without a value of any member.

    It has two levels and the first 40 names. A name that does not look like an identifier may be data, such as an address:
    such names are only counted. A list shows its first element:

        [{"id": "number", "sender": {"login": "string"}, "labels": "array", "(other names)": 2}]
    """
    is_list = isinstance(value, list) and bool(value)
    first = value[0] if is_list else value
    shown = _shape(first) if isinstance(first, dict) else _type(first)
    return json_text.dumps([shown] if is_list else shown)


def _shape(members: Mapping[str, Any]) -> dict[str, Any] | str:
    if len(members) == 1 and all(isinstance(value, str) and not value.strip("=") for value in members.values()):
        return "string"  # a form parser made it of a text that ends in "=", as base64 does
    shown = _types(members, MAX_NAMES)
    left = MAX_NAMES - len(shown)
    for name, value in members.items():
        if name in shown and name != OTHER_NAMES and isinstance(value, dict) and left > 0:
            inner = _types(value, left)
            left -= len(inner)
            shown[name] = inner or _type(value)
    return shown


def _types(members: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """Return the types of the first `limit` members with a name to show, and how many have another name."""
    names = [name for name in members if _IDENTIFIER.fullmatch(name)]
    shown: dict[str, Any] = {name: _type(members[name]) for name in names[:limit]}
    return {**shown, OTHER_NAMES: len(members) - len(names)} if len(names) < len(members) else shown


def _type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _described(result: Any) -> str:
    kind = _type(result)
    if result == "":
        return "an empty text"
    if kind == "number":
        return "a number that is too large to be exact"
    return {"string": "a text", "array": "a list", "object": "an object"}.get(kind, kind)


def _json(result: Any) -> str:
    """Return the JSON text of an expression's result. Raises EvaluationFailed if it is over PAYLOAD_LIMIT, or is not JSON."""
    if _is_longer(result, PAYLOAD_LIMIT) or len((text := json_text.dumps(result)).encode()) > PAYLOAD_LIMIT:
        raise EvaluationFailed(f"its result is over {PAYLOAD_LIMIT} bytes")
    try:
        json_text.check(text)  # a multi-select adds a level, and a number may be infinite
    except json_text.NotJson as error:
        raise EvaluationFailed(f"its result is not JSON: {error}") from None
    return text


def _is_longer(value: Any, limit: int) -> bool:
    """Whether the JSON text of a value is certainly longer than `limit` characters. It takes at most `limit` steps.

    A multi-select can name the body eight times. Its text would be far larger than the value in memory, and is not written.
    """
    left, pending = limit, [value]
    while pending and left >= 0:
        value = pending.pop()
        if isinstance(value, (str, list, dict)):
            left -= len(value)  # characters, or the brackets and commas around the elements
        if left >= 0 and isinstance(value, list):
            pending += value
        elif left >= 0 and isinstance(value, dict):
            pending += value
            pending += value.values()
        left -= 1
    return left < 0
