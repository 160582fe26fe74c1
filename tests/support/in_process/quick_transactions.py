"""moto's transactions, with a copy of what they may change and not of the whole table.

moto copies a table with its stream before each transaction, to have it back if that is cancelled. Of what it copies, only the
items that the transaction names can change in their place.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

_ORDINARY: tuple[Any, Any] = (DynamoDBBackend.transact_write_items, copy)


def ordinary_transactions() -> AbstractContextManager[None]:
    """Within this, moto is as it came, also within `quick_transactions`."""
    return _replaced(*_ORDINARY)


def quick_transactions() -> AbstractContextManager[None]:
    """Within this, a transaction copies little. Only one may be made at a time."""
    named: list[Any] = []

    def deepcopy(thing: Any) -> Any:
        return _with_copies(thing, named) if isinstance(thing, Table) and thing.has_range_key else copy.deepcopy(thing)

    return _replaced(_noting(named, _ORDINARY[0]), SimpleNamespace(deepcopy=deepcopy))


@contextmanager
def _replaced(transact: Any, copies: Any) -> Iterator[None]:
    with mock.patch.object(DynamoDBBackend, "transact_write_items", transact), mock.patch.object(models, "copy", copies):
        yield


def _noting(named: list[Any], ordinary: Callable[[Any, list[Any]], None]) -> Callable[[Any, list[Any]], None]:
    def transact_write_items(backend: Any, transact_items: list[Any]) -> None:
        named[:] = [it for item in transact_items for it in item.values()]
        try:
            ordinary(backend, transact_items)
        finally:
            named.clear()

    return transact_write_items


def _with_copies(table: Any, named: list[Any]) -> Any:
    """The table as it is now, whatever then happens to the named items."""
    kept = copy.copy(table)
    kept.items = defaultdict(dict, {id_: dict(items) for id_, items in table.items.items()})
    for asked in named:
        attributes = asked.get("Key") or asked.get("Item", {})
        key = [DynamoType(attributes[name]) for name in table.table_key_attrs if name in attributes]
        if asked["TableName"] == table.name and len(key) == 2 and (found := table.get_item(*key)):
            kept.items[key[0]][key[1]] = copy.deepcopy(found)
    if table.stream_shard:  # its copy keeps the table itself: two copies in a circle are left to garbage collection
        kept.stream_shard = copy.copy(table.stream_shard)
        kept.stream_shard.items = [*table.stream_shard.items]
    return kept
