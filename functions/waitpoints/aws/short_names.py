"""The short names of what is written once into a token's item. 0.4.1 wrote whole names, and both versions read both forms.

DynamoDB bills a token's writes by its item's size, names included. No name here is in an expression, in a filter of the stream
or in an index, and what it names is written once, so no item has both forms of one.
"""

from collections.abc import Mapping
from typing import Any

WHOLE = {
    "a": "userAgent",
    "b": "completedBy",
    "c": "createdBy",
    "d": "deliveryId",
    "e": "error",
    "f": "fields",
    "h": "handle",
    "k": "kind",
    "l": "outputStoredAt",
    "m": "contentType",
    "n": "context",
    "o": "output",
    "p": "approver",
    "q": "query",
    "r": "registeredAt",
    "s": "source",
    "t": "traceparent",
    "u": "unwrap",
    "w": "execution",
    "y": "signedIn",
}
"""The whole names, by the short ones. A name means the same wherever it is: in the item, a waiter, an answer, `completedBy`."""

SHORT = {whole: short for short, whole in WHOLE.items()}
OWN_EXECUTION = "x"
"""A waiter's execution in the stack's account and region: its ARN without `own_executions`."""


def with_whole_names(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item, or a map within one, without short names."""
    return {WHOLE.get(name, name): value for name, value in stored.items()}


def with_short_names(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's attributes, or those of a map within one, as they are stored."""
    return {SHORT.get(name, name): value for name, value in attributes.items()}


def own_executions(arn: str) -> str:
    """Return what ARNs of executions begin with in the account and region of a resource's ARN."""
    _, partition, _, region, account, *_ = arn.split(":")
    return f"arn:{partition}:states:{region}:{account}:execution:"
