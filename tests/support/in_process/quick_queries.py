"""moto's queries, of the items that have the wanted key. moto sorts the whole table before each, and asks a text what it is.

What it finds it copies whole, weighs by further copies, and takes each attribute of a projection from a copy of its own. Its
answer is a copy already.
"""

import copy
from base64 import b64decode
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import chain
from types import SimpleNamespace
from typing import Any

from moto.dynamodb import responses
from moto.dynamodb.models import table as moto_table
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table

from tests.support.in_process.quick_expressions import replaced

_PLACES: tuple[tuple[Any, str], ...] = (
    (Table, "query"),
    (DynamoType, "cast_value"),
    (DynamoType, "to_regular_json"),
    (Item, "project"),
    (moto_table, "copy"),
    (responses, "dynamo_to_dict"),
    (DynamoType, "size"),
    (DynamoType, "__deepcopy__"),
    (Item, "size"),
    (LimitedSizeDict, "__setitem__"),
)
_ORDINARY = tuple(getattr(owner, name) for owner, name in _PLACES)
_LARGE = 400_000  # bytes of an item, near to what moto refuses


def ordinary_queries() -> AbstractContextManager[None]:
    """Within this, moto is as it came, also within `quick_queries`."""
    return replaced(_PLACES, _ORDINARY)


def quick_queries() -> AbstractContextManager[None]:
    """Within this, a query looks at the items of one key. Only one may be made at a time."""
    query, value, _, project, _, to_dict, size, _, _, keep = _ORDINARY
    text = property(lambda it: it.value if it.type == "S" else value.__get__(it))
    copies = SimpleNamespace(copy=copy.copy, deepcopy=_deepcopy)
    size = _size(size)
    weight = _weight(size)
    written = size, _copied, lambda item: weight(item.attrs), _keep(keep, weight)
    return replaced(
        _PLACES, (_of_one_key(query), text, _to_regular_json, _project(project), copies, _to_dict(to_dict), *written)
    )


def _deepcopy(thing: Any) -> Any:
    """No copy of what is found."""
    found = thing if type(thing) is list else [thing]
    return thing if found and all(type(it) is Item for it in found) else copy.deepcopy(thing)


def _size(ordinary: Callable[[Any], int]) -> Callable[[Any], int]:
    def size(it: Any) -> int:
        value = it.value
        if type(value) is str:
            return len(value) if value.isascii() else len(value.encode())
        return sum(len(name.encode()) + size(one) for name, one in value.items()) if type(value) is dict else ordinary(it)

    return size


def _weight(size: Callable[[Any], int]) -> Callable[[Any], int]:
    def weight(attributes: Any) -> int:
        total = 0
        for name, it in attributes.items():
            value = it.value
            total += len(value) if type(value) is str and value.isascii() else size(it)
            total += len(name) if name.isascii() else len(name.encode())
        return total

    return weight


def _keep(ordinary: Callable[..., None], weight: Callable[[Any], int]) -> Callable[..., None]:
    """moto itself says what is too large."""

    def keep(kept: Any, name: str, value: Any) -> None:
        if weight(kept) + weight({name: value}) > _LARGE:
            ordinary(kept, name, value)
        else:
            dict.__setitem__(kept, name, value)

    return keep


def _copied(it: Any, _: Any = None) -> Any:
    copied, value = object.__new__(DynamoType), it.value
    copied.type = it.type
    if type(value) is dict:
        value = {name: _copied(one) for name, one in value.items()}
    elif type(value) is list:
        value = [_copied(one) if type(one) is DynamoType else one for one in value]
    copied.value = value
    return copied


def _to_dict(ordinary: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """moto asks of each text whether it is of one of five kinds."""

    def to_dict(thing: Any) -> Any:
        kind = type(thing)
        if kind is dict or kind is LimitedSizeDict:
            return {name: one if type(one) is str else to_dict(one) for name, one in thing.items()}
        if kind is list:
            return [one if type(one) is str else to_dict(one) for one in thing]
        if kind is DynamoType and thing.type not in ("B", "BS"):
            return {thing.type: thing.value if type(thing.value) is str else to_dict(thing.value)}
        return ordinary(thing)

    return to_dict


def _to_regular_json(it: Any) -> dict[str, Any]:
    """moto copies what is nested again at each level."""
    value = it.value
    if type(value) is dict:
        value = {name: _regular(one) for name, one in value.items()}
    elif type(value) is list:
        value = [_regular(one) for one in value]
    elif it.type == "B" and type(value) is str:
        value = b64decode(value)
    return {it.type: value}


def _regular(nested: Any) -> Any:
    return _to_regular_json(nested) if type(nested) is DynamoType else nested


def _project(ordinary: Callable[..., Any]) -> Callable[..., Any]:
    def project(item: Any, expressions: list[list[str]]) -> Any:
        if any(len(names) > 1 or "[" in names[0] for names in expressions):
            return ordinary(item, expressions)
        projected: Any = Item(item.hash_key, item.range_key, {})
        dict.update(projected.attrs, {name: item.attrs[name] for [name] in expressions if name in item.attrs})
        return projected

    return project


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
