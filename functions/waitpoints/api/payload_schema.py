"""`payloadSchema`: a JSON Schema 2020-12 that a token's output must match.

The cost of a check is limited twice. `check` limits the schema when a token is created: its size, no references, at most
one `unevaluatedProperties` and one `unevaluatedItems` (each further one doubles the work), and patterns of limited size in
an engine without backtracking. `violation` limits the work for each body: schema values times body values, and patterns
times body characters. It rejects a body over either limit without checking it.
"""

import re
from dataclasses import dataclass
from math import isinf
from typing import Any

import jsonschema_rs

from waitpoints import json_text
from waitpoints.errors import InvalidPayloadSchema

MAX_BYTES = 8192
DIALECT = "https://json-schema.org/draft/2020-12/schema"

MAX_STEPS = 10_000_000  # schema values times body values: at most about 1 s
MAX_PATTERN_STEPS = 524_288  # patterns times body characters: at most about 1.5 s
MAX_NAMING_STEPS = 1_000_000  # naming the keyword copies the body for each branch of anyOf and oneOf
MAX_UNIQUE_VALUES = 1000  # in a body, if the schema has uniqueItems: some values are compared each with each, 0.6 ms apiece
_PATTERN_BYTES = 32_768  # per compiled pattern: matching takes this much work per character
_MULTIPLE_OF_STEPS = 200  # exact division takes about 10 µs

_MAY_OVERFLOW = re.compile(r"[eE]\+?[0-9]{3}|[0-9]{309}")  # a number that a float may not hold
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ONCE = ("unevaluatedProperties", "unevaluatedItems")


@dataclass(frozen=True, slots=True)
class Violation:
    """The keyword that rejected a body, and its JSON Pointer in the schema. Contains nothing from the body."""

    keyword: str
    place: str

    @property
    def message(self) -> str:
        return f"The body does not match the token's payloadSchema: {json_text.dumps(self.keyword)} at {self.place}"


TOO_LARGE = Violation("(the body is too large to check)", "#")
# nested deeper than 255 levels, half of a surrogate pair, or a whole number of more than 4,300 digits
UNREADABLE = Violation("(the body contains values that cannot be checked)", "#")
UNNAMED = Violation("(the body is too large to name the keyword)", "#")


def check(schema: str) -> None:
    """Raises InvalidPayloadSchema unless this JSON text is a schema that can be checked in limited time."""
    if len(schema.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidPayloadSchema(f"Invalid payloadSchema: at most {MAX_BYTES} bytes are accepted")
    try:
        value = json_text.parse(schema)
    except json_text.NotJson:
        raise InvalidPayloadSchema("Invalid payloadSchema: expected JSON") from None
    if not isinstance(value, dict):
        raise InvalidPayloadSchema("Invalid payloadSchema: expected an object")
    _check_names([name for node in _values(value) if isinstance(node, dict) for name in node])
    if any(isinstance(node, dict) and node.get("$schema", DIALECT) != DIALECT for node in _values(value)):
        raise InvalidPayloadSchema(f"Invalid payloadSchema: $schema must be {DIALECT}")
    try:
        _validator(value)
    except jsonschema_rs.ValidationError as error:
        raise InvalidPayloadSchema(f"Invalid payloadSchema at {_pointer(error.instance_path)}") from None
    except ValueError:
        raise InvalidPayloadSchema("Invalid payloadSchema: nested too deeply, or invalid Unicode") from None


def violation(schema: str, body: str) -> Violation | None:
    """Return the violation of a schema that `check` accepted, or None if the JSON text `body` matches it."""
    rules = json_text.parse(schema)
    values = 1 + body.count(",") + body.count("[") + body.count("{")
    if _weight(rules) * values > MAX_STEPS or _patterns(rules) * len(body) > MAX_PATTERN_STEPS:
        return TOO_LARGE
    if values > MAX_UNIQUE_VALUES and _has(rules, "uniqueItems"):
        return TOO_LARGE
    try:
        validator, value = _validator(rules), json_text.parse(body)
        if _MAY_OVERFLOW.search(body) and any(isinstance(one, float) and isinf(one) for one in _values(value)):
            return UNREADABLE
        if validator.is_valid(value):
            return None
        if _branches(rules) * (values + len(body)) > MAX_NAMING_STEPS:
            return UNNAMED
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return _of(error)
    except ValueError:
        return UNREADABLE
    return None


def _has(schema: Any, keyword: str) -> bool:
    return any(isinstance(node, dict) and keyword in node for node in _values(schema))


def _validator(schema: Any) -> jsonschema_rs.Validator:
    options = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=options, validate_formats=False, offline=True)


def _check_names(names: list[str]) -> None:
    for name in _REFERENCES:
        if name in names:
            raise InvalidPayloadSchema(f"Invalid payloadSchema: {name} is not accepted: insert the schema that it refers to")
    for name in _ONCE:
        if names.count(name) > 1:
            raise InvalidPayloadSchema(f"Invalid payloadSchema: {name} is accepted only once")


def _weight(schema: Any) -> int:
    """Return how many schema values may examine one body value."""
    return sum(1 + _MULTIPLE_OF_STEPS * (isinstance(node, dict) and "multipleOf" in node) for node in _values(schema))


def _patterns(schema: Any) -> int:
    found = 0
    for node in _values(schema):
        if isinstance(node, dict):
            named = node.get("patternProperties")
            found += ("pattern" in node) + (len(named) if isinstance(named, dict) else 0)
    return found


def _branches(schema: Any) -> int:
    found = [node.get(name) for node in _values(schema) if isinstance(node, dict) for name in ("anyOf", "oneOf")]
    return sum(len(branches) for branches in found if isinstance(branches, list))


def _values(value: Any) -> list[Any]:
    """Return a JSON value and all values inside it."""
    found = [value]
    for node in found:
        if isinstance(node, dict):
            found.extend(node.values())
        elif isinstance(node, list):
            found.extend(node)
    return found


def _of(error: jsonschema_rs.ValidationError) -> Violation:
    keyword = "false" if error.kind.name == "falseSchema" else error.kind.name
    return Violation(keyword, _pointer(error.schema_path))


def _pointer(path: list[str | int]) -> str:
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
