"""What the filter of an event source lets through, as Lambda decides it: the patterns are read from template.yaml.

A pattern is an object of the event's shape whose leaves are lists of rules: one of them must hold for the value.
"""

import json
from typing import Any

from local.template import Resource

_ABSENT = object()


def patterns(event: Resource) -> list[Any]:
    """The patterns of an event of a function; one must match. Without any, everything passes."""
    return [json.loads(declared["Pattern"]) for declared in event.get("FilterCriteria", {}).get("Filters", [])] or [{}]


def passes(record: Any, declared: list[Any]) -> bool:
    return any(_matches(record, pattern) for pattern in declared)


def _matches(value: Any, pattern: Any) -> bool:
    if isinstance(pattern, dict):
        inside = value if isinstance(value, dict) else {}
        return all(_matches(inside.get(name, _ABSENT), member) for name, member in pattern.items())
    return any(_holds(value, rule) for rule in pattern)


def _holds(value: Any, rule: Any) -> bool:
    match rule:
        case {"exists": bool(wanted)}:
            return wanted == (value is not _ABSENT and not isinstance(value, dict))
        case {"anything-but": list(excluded)}:
            return value is not _ABSENT and value not in excluded
        case {"prefix": str(start)}:
            return isinstance(value, str) and value.startswith(start)
        case str() | None | int() | float():
            return bool(value == rule)
    raise NotImplementedError(f"the filter rule {rule!r}")
