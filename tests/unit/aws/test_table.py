"""The requests that a table's writes make, and the words that DynamoDB keeps for itself."""

import re
from typing import Any

import pytest
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from waitpoints.aws import api_key_store, doctor_store, due_index, endpoint_store, notice_store, store
from waitpoints.aws.items import primary_key
from waitpoints.aws.table import Added, Changes, Expression, IfAbsent, Table

KEY = primary_key("a", "b")
OPERATORS = {"AND", "OR", "NOT", "BETWEEN", "SIZE", "CONTAINS"}
MODULES = (store, doctor_store, due_index, endpoint_store, api_key_store, notice_store)
CONDITION = re.compile(r"[<>=]|attribute_|contains|size\(")
CONDITIONS = {
    f"{module.__name__}.{name}": text
    for module in MODULES
    for name, text in vars(module).items()
    if name.isupper() and isinstance(text, str) and CONDITION.search(text)
}


def request(changes: Changes, condition: str = "", **values: Any) -> Any:
    sent = Table(None, "table").update_request(KEY, changes, condition, **values)  # type: ignore[arg-type]
    assert (sent.pop("TableName"), sent.pop("Key")) == ("table", KEY)
    return sent


@pytest.mark.parametrize(
    ("change", "expression"),
    [
        (1, "SET #0 = :0"),
        (None, "REMOVE #0"),
        (Added(1), "ADD #0 :0"),
        (IfAbsent(1), "SET #0 = if_not_exists(#0, :0)"),
    ],
)
def test_a_change_of_an_attribute(change: Any, expression: str) -> None:
    value = {} if change is None else {"ExpressionAttributeValues": {":0": {"N": "1"}}}
    assert request({"count": change}) == {
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {"#0": "count"},
        **value,
    }


def test_changes_and_a_condition_with_its_own_values_and_names() -> None:
    changes = {("waiters", "a.b"): "x", "at": Expression("due + :wait"), "soon": None}
    assert request(changes, "#status = :waiting", waiting="WAITING", wait=2, unused=3) == {
        "UpdateExpression": "SET #0.#0_1 = :0, #1 = due + :wait REMOVE #2",
        "ConditionExpression": "#status = :waiting",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": {"#0": "waiters", "#0_1": "a.b", "#1": "at", "#2": "soon", "#status": "status"},
        "ExpressionAttributeValues": {":0": {"S": "x"}, ":wait": {"N": "2"}, ":waiting": {"S": "WAITING"}},
    }


@pytest.mark.parametrize("expression", CONDITIONS.values(), ids=CONDITIONS)
def test_no_condition_names_an_attribute_by_a_reserved_word(expression: str) -> None:
    """docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html"""
    words = {word.upper() for word in re.findall(r"(?<![#:\w])[A-Za-z]\w*", expression)}
    assert (words - OPERATORS) & set(ReservedKeywords.get_reserved_keywords()) == set()
