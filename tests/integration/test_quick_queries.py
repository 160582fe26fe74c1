"""moto finds, weighs and projects the same as it came, and what a test sees of the whole table is what a scan finds."""

from typing import Any

import pytest

from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.quick_queries import ordinary_queries
from tests.support.in_process.stores import place

MAPS: Any = {"a": {"L": [{"N": "1"}, {"NULL": True}, {"M": {"é": {"BOOL": False}}}]}, "b": {"B": b"\xff"}, "c": {"S": "é"}}
NAMES = {"#m": "m", "#c": "c"}


@pytest.fixture(autouse=True)
def full_table(stack: MotoStack) -> None:
    stack.empty_table()
    client, table = place()
    for item in ("3", "1", "4", "2"):
        more = {
            "m": {"M": MAPS},
            "b": {"B": b"\x00\xff"},
            "n": {"N": "1.50"},
            "s": {"SS": ["x"]},
            "listShard": {"S": "one"},
            "t": {"S": "é" * 150_000},
        }
        client.put_item(TableName=table, Item={"id": {"S": "one"}, "item": {"S": item}, **more})
    client.put_item(TableName=table, Item={"id": {"S": "two"}, "item": {"S": "1"}})
    client.delete_item(TableName=table, Key={"id": {"S": "one"}, "item": {"S": "4"}})


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"IndexName": "list", "KeyConditionExpression": "listShard = :id"},
        {"Limit": 2, "ScanIndexForward": False},
        {"ProjectionExpression": "s, b, nothing, n, #m", "ExpressionAttributeNames": {"#m": "m"}},
        {"ProjectionExpression": "#m.#c, #m.a[2], b", "ExpressionAttributeNames": NAMES},
        {"FilterExpression": "size(t) > size(b) AND attribute_exists(#m.#c)", "ExpressionAttributeNames": NAMES},
    ],
)
def test_a_query_finds_the_same(asked: dict[str, Any]) -> None:
    def found() -> dict[str, Any]:
        values = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "one"}}}
        answered: dict[str, Any] = client.query(**{"TableName": table, **values, **asked})
        return {name: answered.get(name) for name in ("Items", "Count", "ScannedCount", "LastEvaluatedKey")}

    client, table = place()
    with ordinary_queries():
        ordinary = found()
    assert found() == ordinary
    assert ordinary["Items"]


def test_a_query_gives_nothing_away_that_is_in_the_table(stack: MotoStack) -> None:
    found = stack.items("one")
    found[0]["m"]["M"].clear()
    found[0]["s"]["SS"].append("y")
    [kept, *_] = stack.items("one")
    assert (kept["m"]["M"], kept["s"]["SS"]) == (MAPS, ["x"])


def test_every_item_is_what_a_scan_finds(stack: MotoStack) -> None:
    client, table = place()
    pages = client.get_paginator("scan").paginate(TableName=table)
    found = {(it["id"]["S"], it["item"]["S"]): it for page in pages for it in page["Items"]}
    assert stack.every_item() == [found[key] for key in (("one", "3"), ("one", "1"), ("one", "2"), ("two", "1"))]
