"""What is mended of DynamoDB in MiniStack 1.5.33: TTL, and that larger items and expressions seem to take longer.

AWS answers an update of a token no later than one of a bare item. MiniStack reads each expression and each number anew, and
copies items by `copy.deepcopy`, on the thread that does everything else.
"""

import copy
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

TEXTS = 1_000


def read_expressions_once(dynamodb: Any) -> None:
    """Read each expression once."""
    tokenize = lru_cache(TEXTS)(_as_tuple(dynamodb._tokenize))
    dynamodb._tokenize = lambda text: list(tokenize(text))
    dynamodb._condition_syntax_error = lru_cache(TEXTS)(dynamodb._condition_syntax_error)


def _as_tuple(read: Callable[[str], list[Any]]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(read(text))


def read_numbers_once(dynamodb: Any) -> None:
    """Read each number once: an item is checked as a whole whenever one of its attributes changes."""
    canonical = dynamodb._ddb_canonicalize_number
    of_text = lru_cache(10 * TEXTS)(canonical)
    dynamodb._ddb_canonicalize_number = lambda number: of_text(number) if isinstance(number, str) else canonical(number)


def copy_items_plainly(dynamodb: Any) -> None:
    """Copy an item as what it is: JSON."""
    dynamodb.copy = SimpleNamespace(copy=copy.copy, deepcopy=_plain_copy)


def _plain_copy(value: Any) -> Any:
    if type(value) is dict:
        return {name: _plain_copy(member) for name, member in value.items()}
    if type(value) is list:
        return [_plain_copy(member) for member in value]
    return value if isinstance(value, str | int | float | bytes | None) else copy.deepcopy(value)


def take_ttl_from_the_template(provisioners: Any, dynamodb: Any) -> None:
    """Give a table that a stack makes or changes its TTL.

    MiniStack ignores https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    create, update = handlers["create"], handlers["update"]

    def with_ttl(made: tuple[str, Any], properties: dict[str, Any]) -> Any:
        if wanted := properties.get("TimeToLiveSpecification"):
            dynamodb._update_ttl({"TableName": made[0], "TimeToLiveSpecification": wanted})
        return made

    handlers["create"] = lambda name, properties, stack: with_ttl(create(name, properties, stack), properties)
    handlers["update"] = lambda name, old, new, *rest, **named: with_ttl(update(name, old, new, *rest, **named), new)


MENDS = (read_expressions_once, read_numbers_once, copy_items_plainly, take_ttl_from_the_template)
