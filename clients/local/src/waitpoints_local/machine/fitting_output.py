"""Guess an output that completes a token so that its execution goes on: by the token's rules, or by what the states ask for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waitpoints_local.machine.definition import states
from waitpoints_local.machine.schema_example import Example, example

if TYPE_CHECKING:
    from waitpoints_client import Token

DEFAULT = {"approved": True}
_PAGE_WITHOUT_ACTIONS = "submit"
_VALUE = r"'(?P<text>[^']*)'|\"(?P<quoted>[^\"]*)\"|`?(?P<json>true|false|-?\d+(?:\.\d+)?)`?"
_JMESPATH = re.compile(rf"\bbody\.(?P<path>[\w.]+)\s*==\s*(?:{_VALUE})")
_JMESPATH_LIST = re.compile(r"\bcontains\(\[\s*'(?P<text>[^']*)'[^\]]*\],\s*body\.(?P<path>[\w.]+)\)")
_JSONATA = re.compile(rf"\.output\.(?P<path>[\w.]+)\s*=\s*(?:{_VALUE})")
_JSONPATH = re.compile(r"\$\.(?:.+\.)?output\.(?P<path>[\w.]+)")
_COMPARISONS = ("StringEquals", "BooleanEquals", "NumericEquals")


@dataclass(frozen=True)
class Completion:
    """How to complete a token that the execution waits for."""

    token: "Token"
    output: Any
    """What fits, as far as the token's rules and the machine's Choice states say so."""
    missing: tuple[str, ...]
    """The paths in it for which nothing that fits was found."""
    by_post: bool
    """Whether a POST to its URL completes it. Else a person with the API key does."""
    has_page: bool
    is_signed: bool = False
    """Whether its deliveries must be signed."""

    @property
    def name(self) -> str:
        return self.token.id


def fitting_output(machine: Any, created: Mapping[str, Any]) -> Example:
    """Return an output for a token that was created with these fields; DEFAULT if nothing says what fits."""
    if isinstance(page := created.get("page"), dict):
        return _of_page(page)
    asked = _of_filter(created) or next(filter(None, _of_choices(machine)), None)
    if isinstance(schema := created.get("payloadSchema"), dict):
        return example(schema, asked)
    return Example(asked or DEFAULT)


def fitting_result(machine: Any, name: str | None) -> Any:
    """Return a result for a state that waits for another task token: what a Choice state compares in it, or DEFAULT."""
    place = re.escape(str(dict(states(machine))[name or ""].get("ResultPath", "$")))
    return next(filter(None, _of_choices(machine, re.compile(rf"{place}\.(?P<path>[\w.]+)"))), DEFAULT)


def accepts_any_post(created: Mapping[str, Any]) -> bool:
    """Whether a POST of that output to the URL completes the token: not if it must be signed, or match more than that."""
    return "verify" not in created and (not created.get("completeWhen") or bool(_of_filter(created)))


def _of_page(page: Mapping[str, Any]) -> Example:
    fields = example(page.get("fields") or {"type": "object"})
    return Example({"action": _first_action(page), **({"fields": fields.value} if fields.value else {})}, fields.missing)


def _of_filter(created: Mapping[str, Any]) -> Any:
    return _asked(str(created.get("completeWhen", "")), "||", _JMESPATH, _JMESPATH_LIST)


def _first_action(page: Mapping[str, Any]) -> str:
    match page.get("actions"):
        case [{"id": str(first)}, *_]:
            return first
    return _PAGE_WITHOUT_ACTIONS


def _of_choices(machine: Any, pattern: re.Pattern[str] = _JSONPATH) -> Iterator[Any]:
    """Yield what each rule of the Choice states asks of an output, {} for those that ask nothing."""
    for _, state in states(machine):
        for rule in state.get("Choices", []):
            yield _asked(str(rule.get("Condition", "")), " or ", _JSONATA)
            yield _merged(filter(None, (_compared(one, pattern) for one in [rule, *rule.get("And", [])])))


def _compared(rule: Mapping[str, Any], pattern: re.Pattern[str]) -> tuple[str, Any] | None:
    """Return the path within the output and the value that a rule in JSONPath compares it with."""
    found = pattern.fullmatch(str(rule.get("Variable", "")))
    value = next((rule[name] for name in _COMPARISONS if name in rule), None)
    return (found["path"], value) if found and value is not None else None


def _asked(expression: str, alternative: str, *patterns: re.Pattern[str]) -> Any:
    """Return an object that the first alternative of an expression asks for."""
    first = expression.partition(alternative)[0]
    return _merged((found["path"], _value(found)) for pattern in patterns for found in pattern.finditer(first))


def _value(found: re.Match[str]) -> Any:
    values = found.groupdict()
    return json.loads(values["json"]) if values.get("json") else next(filter(None, (values["text"], values.get("quoted"))), "")


def _merged(pairs: Any) -> dict[str, Any]:
    """Return the object that has these values at these paths, such as ("a.b", 1): {"a": {"b": 1}}."""
    made: dict[str, Any] = {}
    for path, value in pairs:
        *parents, last = path.split(".")
        inner: Any = made
        for name in parents:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):  # another comparison asks for a value here
                break
        else:
            inner[last] = value
    return made
