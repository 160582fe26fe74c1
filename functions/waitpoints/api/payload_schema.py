"""`payloadSchema`: which outputs a token accepts, as JSON Schema 2020-12.

What a schema costs is bounded twice. At create: its size, no references, at most one `unevaluatedProperties` and one
`unevaluatedItems` (each further one doubles the work), and patterns in an engine without backtracking, of bounded size.
At delivery: the schema's values times the body's values, and its patterns times the body's characters. A body over
either bound is refused without being checked.
"""

from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from waitpoints import json_text
from waitpoints.errors import InvalidPayloadSchema

MAX_BYTES = 8192
DIALECT = "https://json-schema.org/draft/2020-12/schema"

MAX_STEPS = 10_000_000  # values of the schema times values of the body: at most about 1 s
MAX_PATTERN_STEPS = 524_288  # patterns of the schema times characters of the body: at most about 1.5 s
MAX_NAMING_STEPS = 1_000_000  # naming a keyword copies the body's value once for each branch of anyOf and oneOf
_PATTERN_BYTES = 32_768  # of one compiled pattern: matching costs its size for each character
_MULTIPLE_OF_STEPS = 200  # it divides exactly, in about 10 µs

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ONCE = ("unevaluatedProperties", "unevaluatedItems")


@dataclass(frozen=True, slots=True)
class Violation:
    """The keyword that refused a body, and the keyword's place in the schema as a JSON Pointer; nothing of the body."""

    keyword: str
    place: str

    @property
    def message(self) -> str:
        return f"The body does not fit the token's payloadSchema: {json_text.dumps(self.keyword)} at {self.place}"


TOO_LARGE = Violation("(the body is too large to be checked)", "#")
# nested deeper than 255 levels, half of a surrogate pair, or a whole number of more than 4,300 digits
UNREADABLE = Violation("(the body holds what cannot be checked)", "#")
UNNAMED = Violation("(the body is too large to say which keyword)", "#")


def check(schema: str) -> None:
    """Raises InvalidPayloadSchema unless this JSON text is a schema that can be checked in bounded time."""
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
        raise InvalidPayloadSchema(f"Invalid payloadSchema: $schema can only be {DIALECT}")
    try:
        _validator(value)
    except jsonschema_rs.ValidationError as error:
        raise InvalidPayloadSchema(f"Invalid payloadSchema at {_pointer(error.instance_path)}") from None
    except ValueError:
        raise InvalidPayloadSchema("Invalid payloadSchema: nested too deeply, or text that is not Unicode") from None


def violation(schema: str, body: str) -> Violation | None:
    """What a JSON text breaks of a schema that `check` accepted; None when it fits. Bounded as the module says."""
    rules = json_text.parse(schema)
    values = 1 + body.count(",") + body.count("[") + body.count("{")
    if _weight(rules) * values > MAX_STEPS or _patterns(rules) * len(body) > MAX_PATTERN_STEPS:
        return TOO_LARGE
    try:
        validator, value = _validator(rules), json_text.parse(body)
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


def _validator(schema: Any) -> jsonschema_rs.Validator:
    options = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=options, validate_formats=False, offline=True)


def _check_names(names: list[str]) -> None:
    for name in _REFERENCES:
        if name in names:
            raise InvalidPayloadSchema(f"Invalid payloadSchema: {name} is not accepted, write the schema out")
    for name in _ONCE:
        if names.count(name) > 1:
            raise InvalidPayloadSchema(f"Invalid payloadSchema: {name} is accepted only once")


def _weight(schema: Any) -> int:
    """How many values of the schema can look at one value of the body."""
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
    """A JSON value and every value inside it."""
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
