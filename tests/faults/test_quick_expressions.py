"""moto answers as it does without `quick_expressions`, for expressions that are right and for wrong ones."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.parsing import validators

from tests.support.in_process.quick_expressions import ordinary_expressions, quick_expressions

ITEM = {"id": {"S": "a"}, "n": {"N": "1"}, "m": {"M": {"x": {"N": "2"}}}, "l": {"L": [{"S": "b"}]}, "s": {"SS": ["c", "d"]}}
UPDATES = [
    "SET n = :n",
    "SET m.#n = :n",
    "SET #n = n + :n, m.x = m.x - :n",
    "SET m.y = if_not_exists(m.y, :n), l = list_append(l, :l)",
    "SET #n = :n REMOVE m.x, l[0]",
    "ADD n :n, s :s",
    "DELETE s :s",
    "REMOVE absent",
    "SET id = :n",
    "SET n = :n, n = :n",
    "SET m = :n, m.x = :n",
    "SET n = :n SET n = :n",
    "SET n = absent",
    "SET absent.x = :n",
    "SET n = l + :n",
    "SET n =",
    "SETT n = :n",
    "SET n = unknown(:n)",
]
CONDITIONS = [
    "attribute_exists(n) AND n = :n",
    "attribute_not_exists(absent) OR (n > :n AND NOT contains(s, :n))",
    "attribute_exists(absent)",
    "size(l) < :n",
    "n BETWEEN :n AND :n",
    "begins_with(id, :n)",
]


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client
        client.delete_table(TableName="table")  # the other tests of this process have the same moto


def answer(dynamodb: Any, update: str, condition: str | None, name: str = "n") -> Any:
    """Return the item after an update, or the error."""
    dynamodb.put_item(TableName="table", Item=ITEM)
    values = {":n": {"N": "1"}, ":l": {"L": [{"S": "e"}]}, ":s": {"SS": ["c"]}}
    text = f"{update} {condition or ''}"
    asked: dict[str, Any] = {"UpdateExpression": update}
    if condition:
        asked["ConditionExpression"] = condition
    if used := {name: value for name, value in values.items() if name in text}:
        asked["ExpressionAttributeValues"] = used
    if "#n" in text:
        asked["ExpressionAttributeNames"] = {"#n": name}
    try:
        return dynamodb.update_item(TableName="table", Key={"id": {"S": "a"}}, ReturnValues="ALL_NEW", **asked)["Attributes"]
    except ClientError as error:
        return error.response["Error"]


@pytest.mark.parametrize(
    ("update", "condition"), [(update, None) for update in UPDATES] + [(UPDATES[0], condition) for condition in CONDITIONS]
)
def test_moto_answers_the_same(dynamodb: Any, update: str, condition: str | None) -> None:
    answers = []
    for expressions in (ordinary_expressions(), quick_expressions()):
        with expressions:
            answers.append([answer(dynamodb, update, condition) for _ in range(2)])  # the second time, the text is known
    assert answers[0] == answers[1]
    assert answers[1][0] == answers[1][1]


@pytest.mark.parametrize("condition", [None, "attribute_exists(#n)", "m.#n = :n"])
@pytest.mark.parametrize(
    "update",
    [
        *("SET #n = :n", "SET m.#n = :n", "SET n = if_not_exists(#n, :n)", "REMOVE #n"),
        *("SET #n = :n, n = :n", "SET m.#n = :n, m.x = :n", "SET m.x = :n, #n = :n"),
    ],
)
def test_moto_answers_the_same_when_a_text_has_other_names(dynamodb: Any, update: str, condition: str | None) -> None:
    answers = []
    for expressions in (ordinary_expressions(), quick_expressions()):
        with expressions:
            answers.append([answer(dynamodb, update, condition, name) for name in ("y", "x", "absent", "n", "m", "id", "x")])
    assert answers[0] == answers[1]


def test_what_was_right_is_not_worked_out_again_with_other_names(dynamodb: Any) -> None:
    with quick_expressions():
        answer(dynamodb, "SET #n = :n", None, "x")
        with mock.patch.object(validators.Validator, "validate", side_effect=NotImplementedError):
            assert answer(dynamodb, "SET #n = :n", None, "y")["y"] == {"N": "1"}


@pytest.mark.parametrize("update", UPDATES[:8])
def test_what_was_right_is_not_worked_out_again(dynamodb: Any, update: str) -> None:
    with quick_expressions():
        before = answer(dynamodb, update, CONDITIONS[0])
        with (
            mock.patch.object(validators.Validator, "validate", side_effect=NotImplementedError),
            mock.patch.object(ConditionExpressionParser, "_lex_condition_expression", side_effect=NotImplementedError),
        ):
            assert answer(dynamodb, update, CONDITIONS[0]) == before
