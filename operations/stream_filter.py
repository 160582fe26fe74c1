"""The filters of an event source mapping: which stream records its function gets.

Only the rules that template.yaml uses: a text, `exists` and `anything-but`. See "Lambda event filtering" in AWS's
Lambda developer guide.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def passes(patterns: Sequence[Mapping[str, Any]], record: Any) -> bool:
    """Whether a mapping with these filter patterns hands the record to its function. Without a pattern, each passes."""
    return not patterns or any(matches(pattern, record) for pattern in patterns)


def matches(pattern: Mapping[str, Any], value: Any) -> bool:
    """Whether a record passes one pattern. Raises ValueError for a rule that is not known here."""
    for name, wanted in pattern.items():
        found = value.get(name) if isinstance(value, dict) else None
        if isinstance(wanted, dict):
            if not matches(wanted, found):
                return False
        elif not any(_matches_rule(rule, found) for rule in wanted):
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
    raise ValueError(f"the filter rule {rule!r} is not known to `make redrive`")
