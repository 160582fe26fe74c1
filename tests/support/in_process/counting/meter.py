"""Count what AWS would bill: each call of the functions, and the capacity of each DynamoDB call.

moto reports no capacity, so it is computed as DynamoDB's documentation says. A write is billed by the larger of the item
before and after, in units of 1 KB, and twice in a transaction. If its condition fails, it is billed by the existing item.
Each index is billed for changes in its projection. A query reads the sum of its items in units of 4 KB, and a batch of gets
reads each item by itself, also one that does not exist.
"""

import math
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from tests.support.in_process.moto_stack import client_of

WRITE_UNIT, READ_UNIT = 1024, 4096  # bytes
Item = Mapping[str, Any]


@dataclass
class Call:
    """One call to AWS."""

    operation: str
    write_units: int = 0
    read_units: float = 0
    item_bytes: int = 0
    """The size of the largest item written."""
    units_of: Counter[str] = field(default_factory=Counter)
    """The write units of each of the table's partition keys, and of each index."""
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Asked(threading.local):
    """The call that is being made in a thread: with what, on which table, and the items before it."""

    params: Mapping[str, Any]
    before: Mapping[Any, Item]
    table: str


@dataclass
class Meter:
    calls: list[Call] = field(default_factory=list)
    _asked: Asked = field(default_factory=Asked)

    def watch(self, session: boto3.Session) -> None:
        """Count the calls of every client that this session creates from now on."""
        session.events.register("provide-client-params", self._look)
        session.events.register("after-call", self._count)
        self._dynamodb = client_of("dynamodb")  # its calls are not counted

    def take(self) -> list[Call]:
        """Return the calls since the last `take`."""
        taken, self.calls = self.calls, []
        return taken

    def operations(self) -> list[str]:
        """Return the operations of the calls since the last `take`."""
        return [call.operation for call in self.take()]

    def count(self, operation: str) -> None:
        """Count a call that was made without a boto3 client."""
        self.calls.append(Call(operation))

    def stored(self, table: str) -> tuple[list[int], list[int]]:
        """Return the sizes of a table's items and of their copies in its indexes, without counting the read."""
        self._asked.table = table
        items = [item for page in self._dynamodb.get_paginator("scan").paginate(TableName=table) for item in page["Items"]]
        copies = [_projected(index, item) for index in self._indexes() for item in items]
        return [item_size(item) for item in items], [item_size(copy) for copy in copies if copy]

    def _look(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self._asked.params = dict(params)  # as the function gave them: botocore changes some
        if model.service_model.service_name != "dynamodb":
            return
        self._asked.before = {key: self._item(*key) for key in _keys_written(model.name, params)}

    def _count(self, parsed: Any, model: Any, **_: Any) -> None:
        service = model.service_model.service_id.replace(" ", "")
        call = Call(f"{service}:{model.name}", parameters=self._asked.params)
        if service == "DynamoDB":
            if model.name in ("Query", "Scan", "GetItem"):
                self._count_read(call, parsed)
            elif model.name == "BatchGetItem":
                self._count_batch(call, parsed)
            else:
                self._count_write(call, model.name)
        self.calls.append(call)

    def _count_read(self, call: Call, parsed: Any) -> None:
        items = parsed.get("Items", [parsed["Item"]] if "Item" in parsed else [])
        units = max(1, math.ceil(sum(map(item_size, items)) / READ_UNIT))
        call.read_units = units if self._asked.params.get("ConsistentRead") else units / 2

    def _count_batch(self, call: Call, parsed: Any) -> None:
        for table, wanted in self._asked.params["RequestItems"].items():
            found = [math.ceil(item_size(item) / READ_UNIT) for item in parsed["Responses"].get(table, [])]
            missing = len(wanted["Keys"]) - len(found)
            call.read_units += (sum(found) + missing) * (1 if wanted.get("ConsistentRead") else 0.5)

    def _count_write(self, call: Call, operation: str) -> None:
        times = 2 if operation == "TransactWriteItems" else 1
        for key, before in self._asked.before.items():
            after = self._item(*key)
            size = max(item_size(before), item_size(after))
            call.item_bytes = max(call.item_bytes, size)
            _, partition_key, _ = key
            call.units_of[partition_key] += times * max(1, math.ceil(size / WRITE_UNIT))
            call.units_of += self._index_units(before, after)
        call.write_units = call.units_of.total()

    def _index_units(self, before: Item, after: Item) -> Counter[str]:
        units: Counter[str] = Counter()
        for index in self._indexes():
            old, new = _projected(index, before), _projected(index, after)
            if old != new:
                units[index["IndexName"]] += max(1, math.ceil(max(item_size(old), item_size(new)) / WRITE_UNIT))
        return units

    def _indexes(self) -> list[Any]:
        described = self._dynamodb.describe_table(TableName=self._asked.table)["Table"]
        return list(described.get("GlobalSecondaryIndexes", []))

    def _item(self, table: str, id_: str, item: str) -> Item:
        self._asked.table = table
        key = {"id": {"S": id_}, "item": {"S": item}}
        return self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})


def _keys_written(operation: str, params: Any) -> list[tuple[str, str, str]]:
    match operation:
        case "PutItem":
            written = [(params["TableName"], params["Item"])]
        case "UpdateItem" | "DeleteItem":
            written = [(params["TableName"], params["Key"])]
        case "TransactWriteItems":
            actions = [action for wrapped in params["TransactItems"] for action in wrapped.values()]
            written = [(action["TableName"], action.get("Item") or action["Key"]) for action in actions]
        case "BatchWriteItem":
            requests = [(table, request) for table, some in params["RequestItems"].items() for request in some]
            written = [(table, request["DeleteRequest"]["Key"]) for table, request in requests]
        case _:
            written = []
    return [(table, item["id"]["S"], item["item"]["S"]) for table, item in written]


def _projected(index: Any, item: Item) -> Item:
    keys = {key["AttributeName"] for key in index["KeySchema"]}
    if not keys <= item.keys():
        return {}
    projected = {*keys, "id", "item", *index["Projection"].get("NonKeyAttributes", [])}
    return {name: value for name, value in item.items() if name in projected}


def item_size(item: Item) -> int:
    """Return the size of an item in bytes as DynamoDB bills it: names and values in UTF-8."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Item) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(str(content).encode())
        case "B":
            return len(bytes(content))
        case "N":
            digits = content.lstrip("-").replace(".", "").strip("0")
            return math.ceil(len(digits) / 2) + 1 + int(content.startswith("-"))
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(member) for name, member in content.items())
        case "L":
            return 3 + sum(1 + _value_size(member) for member in content)
        case "SS":
            return 3 + sum(1 + len(text.encode()) for text in content)
        case "BOOL" | "NULL":
            return 1
    raise NotImplementedError(f"the size of {kind}")
