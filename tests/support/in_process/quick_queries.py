"""moto's queries, of the items that have the wanted key. moto sorts the whole table before each, and asks a text what it is."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import Any
from unittest import mock

from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

_ORDINARY: tuple[Any, Any] = (Table.query, DynamoType.cast_value)


def ordinary_queries() -> AbstractContextManager[None]:
    """Within this, moto is as it came, also within `quick_queries`."""
    return _replaced(*_ORDINARY)


def quick_queries() -> AbstractContextManager[None]:
    """Within this, a query looks at the items of one key. Only one may be made at a time."""
    query, value = _ORDINARY
    return _replaced(_of_one_key(query), property(lambda it: it.value if it.type == "S" else value.__get__(it)))


@contextmanager
def _replaced(query: Any, value: Any) -> Iterator[None]:
    with mock.patch.object(Table, "query", query), mock.patch.object(DynamoType, "cast_value", value):
        yield


def _of_one_key(ordinary: Callable[..., Any]) -> Callable[..., Any]:
    def query(table: Any, *asked: Any, hash_key_conditions: Any, **more: Any) -> Any:
        [(name, wanted)] = hash_key_conditions
        if name == table.hash_key_attr:
            items = [*table.items.get(wanted, {}).values()]
        else:
            every = chain.from_iterable(of_one.values() for of_one in table.items.values())
            items = [item for item in every if (key := item.attrs.get(name)) and key.value == wanted.value]
        one_key = copy.copy(table)
        one_key.all_items = lambda: items
        return ordinary(one_key, *asked, hash_key_conditions=hash_key_conditions, **more)

    return query
