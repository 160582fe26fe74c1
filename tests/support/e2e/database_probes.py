"""How MiniStack reads and copies items without each mend of database_mends.py, and with it, for `mends.py`."""

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

EXPRESSION = "SET #status = :completed, waiters.a[0] = :one REMOVE dueAt"


def an_expression_is_read_once() -> bool:
    read = dynamodb._tokenize(EXPRESSION)
    expected = list(read)
    read.clear()  # whoever has read it may change what it was given
    assert dynamodb._tokenize(EXPRESSION) == expected != dynamodb._tokenize("SET a = :b")
    return all(one is other for one, other in zip(dynamodb._tokenize(EXPRESSION), dynamodb._tokenize(EXPRESSION), strict=True))


def a_condition_is_checked_once() -> bool:
    wrong = "a = :a AND"
    assert dynamodb._condition_syntax_error("a = :a AND b = :b", "ConditionExpression") is None
    first, second = (dynamodb._condition_syntax_error(wrong, "ConditionExpression") for _ in range(2))
    assert first == second
    with patch.object(dynamodb, "_COND_TOKEN_RE", None):
        try:
            return bool(dynamodb._condition_syntax_error(wrong, "ConditionExpression") == first)
        except AttributeError:
            return False


def a_number_is_read_once() -> bool:
    read = dynamodb._ddb_canonicalize_number
    assert [read(text) for text in ("1.50", "007", "1e3", "x", "1" * 39, None)] == ["1.5", "7", "1000", None, None, None]
    with patch.object(dynamodb, "Decimal", None):
        try:
            return bool(read("1.50") == "1.5")
        except TypeError:
            return False


def an_item_is_copied_as_json() -> bool:
    item: dict[str, Any] = {"id": {"S": "a"}, "list": {"L": [{"M": {"n": {"N": "1"}}}]}, "b": {"B": b"x"}, "d": Decimal(1)}
    with patch.dict(vars(copy)["_deepcopy_dispatch"], {dict: lambda *_: 1 / 0}):
        try:
            copied = dynamodb.copy.deepcopy(item)
        except ZeroDivisionError:
            return False
    assert copied == item
    return copied["list"]["L"][0]["M"] is not item["list"]["L"][0]["M"]


def a_table_has_the_ttl_of_its_template() -> bool:
    wanted = {"AttributeName": "expiresAt", "Enabled": True}
    key = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }
    make = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]["create"]
    name, _ = make("Expiring", {**key, "TimeToLiveSpecification": wanted}, "stack")
    _, _, said = dynamodb._describe_ttl({"TableName": name})
    return bool(json.loads(said)["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED")


PROBES: dict[str, list[Callable[[], bool]]] = {
    "read_expressions_once": [an_expression_is_read_once, a_condition_is_checked_once],
    "read_numbers_once": [a_number_is_read_once],
    "take_ttl_from_the_template": [a_table_has_the_ttl_of_its_template],
    "copy_items_plainly": [an_item_is_copied_as_json],
}
