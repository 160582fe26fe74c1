"""`payloadSchema`: a JSON Schema 2020-12 that a token's output must match.

The cost of a check is limited twice. `check_schema` limits the schema when a token is created: its size, no references, at most
one `unevaluatedProperties` and one `unevaluatedItems` (each further one doubles the work), and patterns of limited size in
an engine without backtracking. `find_violation` limits the work for each body: schema values times body values, comparisons of
numbers by their size, and patterns times body characters. It rejects a body over either limit without checking it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import frexp, isfinite
from typing import Any

import jsonschema_rs

from waitpoints import json_text
from waitpoints.errors import InvalidPayloadSchema

MAX_BYTES = 8192
DIALECT = "https://json-schema.org/draft/2020-12/schema"

MAX_REASON = 200  # characters: it repeats what is wrong in the schema
MAX_STEPS = 10_000_000  # of 0.1 µs: at most about 1 s
MAX_PATTERN_STEPS = 524_288  # patterns times body characters: at most about 1.5 s
MAX_NAMING_STEPS = 1_000_000  # naming the keyword copies the body for each branch of anyOf and oneOf
MAX_UNIQUE_VALUES = 1000  # in a body, if the schema has uniqueItems: some values are compared each with each
_PATTERN_BYTES = 32_768  # per compiled pattern: matching takes this much work per character
_DIVISION = 3  # times as long as a comparison
_SHORT = 2**53  # a larger whole number is compared digit by digit

_MAX_BITS = 1024  # of a whole number that a double can hold
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_EQUAL = ("enum", "const")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS = (
    *("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"),
    *("minProperties", "maxProperties"),
)
"""Keywords whose numbers are not compared with numbers in a body."""
_ONCE = ("unevaluatedProperties", "unevaluatedItems")


@dataclass(frozen=True, slots=True)
class Violation:
    """The keyword that rejected a body, and its JSON Pointer in the schema. Contains nothing from the body."""

    keyword: str
    path: str

    @property
    def message(self) -> str:
        return f"The body does not match the token's payloadSchema: {json_text.dumps(self.keyword)} at {self.path}"


TOO_LARGE = Violation("(the body is too large to check)", "#")
# nested deeper than 255 levels, half of a surrogate pair, or a number that no double can hold
UNREADABLE = Violation("(the body contains values that cannot be checked)", "#")
REPEATED = Violation("(an object repeats a name)", "#")
BEYOND_DOUBLE = "a number is beyond the range of a double"
UNNAMED = Violation("(the body is too large to name the keyword)", "#")


def check_schema(schema: Any) -> str:
    """Return the JSON text of a schema. Raises InvalidPayloadSchema unless it can be checked in limited time."""
    text = json_text.dumps(schema)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidPayloadSchema(f"Invalid payloadSchema: at most {MAX_BYTES} bytes are accepted")
    if not isinstance(schema, dict):
        raise InvalidPayloadSchema("Invalid payloadSchema: expected an object")
    names = [name for node in _objects(schema) for name in node]
    for name in _REFERENCES:
        if name in names:
            raise InvalidPayloadSchema(f"Invalid payloadSchema: {name} is not accepted: insert the schema that it refers to")
    for name in _ONCE:
        if names.count(name) > 1:
            raise InvalidPayloadSchema(f"Invalid payloadSchema: {name} is accepted only once")
    if any(node.get("$schema", DIALECT) != DIALECT for node in _objects(schema)):
        raise InvalidPayloadSchema(f"Invalid payloadSchema: $schema must be {DIALECT}")
    if has_number_beyond_double(schema):
        raise InvalidPayloadSchema(f"Invalid payloadSchema: {BEYOND_DOUBLE}")
    try:
        _validator(schema)
    except jsonschema_rs.ValidationError as error:
        why = f"{_pointer(error.instance_path)}: {error.message[:MAX_REASON]}"
        raise InvalidPayloadSchema(f"Invalid payloadSchema at {why}") from None
    except ValueError:
        raise InvalidPayloadSchema("Invalid payloadSchema: nested too deeply, or invalid Unicode") from None
    return text


def has_number_beyond_double(value: Any) -> bool:
    """Whether a JSON value has a number that no double can hold, as no schema and no body may have."""
    return any(map(_is_beyond_double, _numbers(value)))


def find_violation(schema: Mapping[str, Any], body: str) -> Violation | None:
    """Return the violation of a schema that `check_schema` accepted, or None if the JSON text `body` matches it."""
    values = 1 + body.count(",") + body.count("[") + body.count("{")
    if len(_values(schema)) * values > MAX_STEPS or _patterns(schema) * len(body) > MAX_PATTERN_STEPS:
        return TOO_LARGE
    if values > MAX_UNIQUE_VALUES and _lists(schema):
        return TOO_LARGE
    try:
        value = json_text.parse_unambiguous(body)
        if "\\u" in body:  # the one way to write half of a surrogate pair, which takes ten times as long to compare
            "".join(_texts(value)).encode()
        numbers = list(_numbers(value))
        if any(map(_is_beyond_double, numbers)):
            return UNREADABLE
        if _steps(schema, values, numbers) > MAX_STEPS:
            return TOO_LARGE
        return _validate(schema, value, values + len(body))
    except json_text.RepeatedName:
        return REPEATED
    except ValueError:
        return UNREADABLE


def _validate(rules: Any, value: Any, size: int) -> Violation | None:
    """Check a value whose work is within the limits. `size` is what a copy of it takes. Raises ValueError."""
    validator = _validator(rules)
    if validator.is_valid(value):
        return None
    branches = [node.get(name) for node in _objects(rules) for name in ("anyOf", "oneOf")]
    if sum(len(one) for one in branches if isinstance(one, list)) * size > MAX_NAMING_STEPS:
        return UNNAMED
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        keyword = "false" if error.kind.name == "falseSchema" else error.kind.name
        return Violation(keyword, _pointer(error.schema_path))
    return None


def _validator(schema: Any) -> jsonschema_rs.Validator:
    options = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=options, validate_formats=False, offline=True)


def _steps(schema: Any, values: int, numbers: list[int | float]) -> int:
    """Return how long a check takes at most, in tenths of a microsecond.

    Each value of the schema may examine each of the body's `values`, each number of the schema may be compared with each of
    the body's `numbers`, and uniqueItems may compare each value of the body with each. Fractions are compared slowly with
    other fractions and in enum and const; a bound that is a whole number, or uniqueItems, is slow for long whole numbers only.
    """
    limits, whole_bounds = _limits(schema)
    steps = len(_values(schema)) * values
    if limits:
        divisors = [one for node in _objects(schema) for one in _numbers(node.get("multipleOf"))]
        limits += divisors * (_DIVISION - 1)
        steps += len(limits) * sum(map(_cost, numbers)) + len(numbers) * sum(map(_cost, limits))
    if (lists := _lists(schema)) or whole_bounds:
        of_whole = sum(_cost(number) for number in numbers if isinstance(number, int))
        steps += whole_bounds * of_whole + lists * values * (values + of_whole)
    return steps


def _limits(schema: Any) -> tuple[list[int | float], int]:
    """Return the numbers with which those of a body are compared, and how many bounds there are that are whole numbers."""
    found: list[int | float] = []
    whole_bounds, nodes = 0, [schema]
    for node in nodes:
        if isinstance(node, list):
            nodes.extend(node)
        elif isinstance(node, dict):
            for name, value in node.items():
                if name in _EQUAL:
                    found.extend(_numbers(value))
                elif name in _BOUNDS and isinstance(value, int) and abs(value) <= _SHORT:
                    whole_bounds += 1
                elif name not in _COUNTS:
                    nodes.append(value)
        else:
            found.extend(_numbers(node))
    return found, whole_bounds


def _cost(number: int | float) -> int:
    """Return what a number adds to the time of a comparison. It is compared as a fraction, which is long for 1e-300."""
    if isinstance(number, float):
        return 24 + abs(frexp(number)[1]) // 3
    return 0 if abs(number) <= _SHORT else 2 + number.bit_length() // 8


def _is_beyond_double(number: int | float) -> bool:
    return number.bit_length() > _MAX_BITS if isinstance(number, int) else not isfinite(number)


def _lists(schema: Any) -> int:
    return sum("uniqueItems" in node for node in _objects(schema))


def _patterns(schema: Any) -> int:
    found = 0
    for node in _objects(schema):
        named = node.get("patternProperties")
        found += ("pattern" in node) + (len(named) if isinstance(named, dict) else 0)
    return found


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    return (node for node in _values(schema) if isinstance(node, dict))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, and its names."""
    yield from (one for one in _values(value) if isinstance(one, str))
    yield from (name for node in _objects(value) for name in node)


def _numbers(value: Any) -> Iterator[int | float]:
    return (one for one in _values(value) if isinstance(one, (int, float)) and not isinstance(one, bool))


def _values(value: Any) -> list[Any]:
    """Return a JSON value and all values inside it."""
    found = [value]
    for node in found:
        if isinstance(node, dict):
            found.extend(node.values())
        elif isinstance(node, list):
            found.extend(node)
    return found


def _pointer(path: list[str | int]) -> str:
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
