"""Make up a value that fits a JSON Schema, such as a page's fields or a `payloadSchema`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, copysign, floor, inf, isfinite
from typing import Any

_KINDS = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "minItems", "maxItems", "uniqueItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength", "pattern", "format"),
}
_BEYOND = {"allOf", "not", "if", "contains", "prefixItems", "minProperties", "dependentRequired", "dependentSchemas"}
"""Keywords that a made-up value may not fit."""
_OF_FORMATS = {"date": ("2030-01-31",), "email": ("name@example.com", "a@b.c")}
_WORDS = ("example", "Example", "EXAMPLE", "ABC-123", "A1", "a1", "2030-01-31", "1.0", "https://example.com")
_RUNS = ("1234567890", "abcdefghij", "ABCDEFGHIJ")
_LONGEST = 10_000  # characters
_LONGEST_MATCHED = 100  # characters: a pattern can take long


@dataclass(frozen=True)
class Example:
    value: Any = None
    missing: tuple[str, ...] = ()
    """The paths for which nothing was found, such as "code". What has a name is left out of `value`."""


def example(schema: Any, given: Any = None, path: str = "") -> Example:
    """Return a value that fits. An object keeps the members that are `given`, and gets those that are required besides."""
    if not isinstance(schema, Mapping):
        return Example(True)
    if given is not None and not isinstance(given, Mapping):
        return Example(given)
    if not given and (decided := _decided(schema)):
        return decided
    if branch := next((schema[name] for name in ("oneOf", "anyOf") if isinstance(schema.get(name), list)), None):
        rest = {name: value for name, value in schema.items() if name not in ("oneOf", "anyOf")}
        return example({**rest, **branch[0]} if isinstance(branch[0], Mapping) else rest, given, path)
    if _BEYOND & schema.keys():
        return Example(given, (path or "the output",))
    found: Any
    match _kind(schema):
        case "object":
            return _object(schema, given or {}, path)
        case "array":
            found = _list(schema, path)
        case "string":
            found = next(_texts(schema), None)
        case "number" | "integer" as kind:
            found = next(_numbers(schema, whole=kind == "integer"), None)
        case kind:
            return Example(None if kind == "null" else True)
    return Example(None, (path or "the output",)) if found is None else Example(found)


def _decided(schema: Mapping[str, Any]) -> Example | None:
    if "const" in schema:
        return Example(schema["const"])
    match schema.get("default"):
        case None | [] | {}:
            pass
        case str(text) if not text.strip():  # a page takes that for an empty field
            pass
        case default:
            return Example(default)
    match schema.get("enum"):
        case [first, *_]:
            return Example(first)
    return None


def _kind(schema: Mapping[str, Any]) -> str:
    match schema.get("type"):
        case str(kind) | [str(kind), *_]:
            return kind
    return next((kind for kind, keywords in _KINDS.items() if any(name in schema for name in keywords)), "boolean")


def _object(schema: Mapping[str, Any], given: Mapping[str, Any], path: str) -> Example:
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    made = {
        name: value for name, value in given.items() if name in properties or schema.get("additionalProperties") is not False
    }
    missing: list[str] = []
    for name in [*(name for name in made if name in properties), *required]:
        found = example(properties.get(name, {}), made.get(name), f"{path}.{name}" if path else name)
        missing += [one for one in found.missing if one not in missing]
        if found.value is not None or not found.missing:
            made[name] = found.value
    return Example(made, tuple(missing))


def _list(schema: Mapping[str, Any], path: str) -> list[Any] | None:
    """Return a list with at least one member, as a page asks of a required one."""
    items, least = schema.get("items", {}), max(schema.get("minItems", 0), 1)
    if schema.get("maxItems", inf) < 1:
        return []
    choices = _choices(items)
    if len(choices) >= least:
        return choices[:least]
    one = example(items, path=path)
    if one.missing or choices or least > _LONGEST or (least > 1 and schema.get("uniqueItems")):
        return None
    return [one.value] * least


def _choices(schema: Any) -> list[Any]:
    match schema:
        case {"enum": [*choices]}:
            return choices
        case {"oneOf": [*branches]}:
            return [branch["const"] for branch in branches if isinstance(branch, Mapping) and "const" in branch]
    return []


def _texts(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield texts that fit. Only such a format is checked as a page has."""
    least, most, pattern = schema.get("minLength", 0), schema.get("maxLength", inf), schema.get("pattern")
    if least > (_LONGEST if pattern is None else _LONGEST_MATCHED):
        return
    of_format = _OF_FORMATS.get(schema.get("format", ""))
    runs = ((run * 4)[:length] for length in range(1, 41) for run in _RUNS)
    for sample in of_format or (*_WORDS, *runs):
        length = min(max(least, len(sample)), most)
        text = sample if of_format else (sample * ceil(length / len(sample)))[:length]
        if least <= len(text) <= most and text.strip() and (pattern is None or _matches(pattern, text)):
            yield text


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _numbers(schema: Mapping[str, Any], *, whole: bool) -> Iterator[int | float]:
    """Yield numbers that fit, the smallest first."""
    limits = [
        _exactly(schema[name]) for name in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum") if name in schema
    ]
    step = _exactly(schema.get("multipleOf") or 1)
    tried = [*limits, *(first + (second - first) / 2 for first in limits for second in limits), Fraction(1), Fraction(0)]
    multiples = [step * (floor(one / step) + more) for one in tried for more in (0, 1, -1)]
    for one in (*tried, *multiples):
        number = int(one) if one.denominator == 1 else float(one)
        if (not whole or isinstance(number, int)) and _exactly(number) == one and _is_within(schema, one):
            yield number


def _is_within(schema: Mapping[str, Any], number: Fraction) -> bool:
    return (
        ("minimum" not in schema or number >= _exactly(schema["minimum"]))
        and ("exclusiveMinimum" not in schema or number > _exactly(schema["exclusiveMinimum"]))
        and ("maximum" not in schema or number <= _exactly(schema["maximum"]))
        and ("exclusiveMaximum" not in schema or number < _exactly(schema["exclusiveMaximum"]))
        and (number / (_exactly(schema["multipleOf"]) if "multipleOf" in schema else number or 1)).denominator == 1
    )


def _exactly(number: float) -> Fraction:
    return Fraction(repr(number)) if isfinite(number) else int(copysign(1, number)) * Fraction(10) ** 400
