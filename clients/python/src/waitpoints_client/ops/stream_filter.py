"""Apply the filter patterns of an event source mapping to stream records.

Supports only the rules that template.yaml uses: a string, `exists`, `anything-but` and `$or`. See "Lambda event filtering" in
the AWS Lambda Developer Guide.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def passes(patterns: Sequence[Mapping[str, Any]], record: Any) -> bool:
    """Whether a mapping with these filter patterns passes the record to its function. Without a pattern, all pass."""
    return not patterns or any(matches(pattern, record) for pattern in patterns)


def matches(pattern: Mapping[str, Any], value: Any) -> bool:
    """Whether a record matches one pattern. Raises ValueError for an unsupported rule."""
    for name, rules in pattern.items():
        found = value.get(name) if isinstance(value, dict) else None
        if name == "$or":
            if not any([matches(one, value) for one in rules]):  # noqa: C419 - each may have a rule that is not supported
                return False
        elif isinstance(rules, dict):
            if not matches(rules, found):
                return False
        elif not any(_matches_rule(rule, found) for rule in rules):
            return False
    return True


def _matches_rule(rule: Any, found: Any) -> bool:
    match rule:
        case {"exists": bool(exists)}:
            return (found is not None) is exists
        case {"anything-but": [*unwanted]}:
            return found is not None and found not in unwanted
        case str():
            return bool(found == rule)
    raise ValueError(f"redrive does not support the filter rule {rule!r}")
