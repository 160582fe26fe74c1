"""moto answers as it does with botocore around it, and leaves what it leaves after a transaction that copies all."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends

from tests.support.in_process import moto_shortcut
from tests.support.in_process.quick_expressions import ordinary_expressions, quick_expressions
from tests.support.in_process.quick_queries import ordinary_queries, quick_queries
from tests.support.in_process.quick_transactions import ordinary_transactions, quick_transactions
from tests.support.in_process.template import ACCOUNT, REGION

NAME = "direct"


class Text(StrEnum):
    NONE = "NONE"
    ODD = "odd"


Call = tuple[str, dict[str, Any]]
Make = Callable[[Any, str, dict[str, Any]], Any]


def key(item: str, id_: str = "a") -> dict[str, Any]:
    return {"id": {"S": id_}, "item": {"S": item}}


def put(item: str, **more: Any) -> dict[str, Any]:
    return {"TableName": NAME, "Item": {**key(item), "n": {"N": "1"}, "b": {"B": b"\xff"}}, **more}


def update(item: str, text: str = "SET n = n + :n", **more: Any) -> dict[str, Any]:
    return {
        "TableName": NAME,
        "Key": key(item),
        "UpdateExpression": text,
        "ExpressionAttributeValues": {":n": {"N": "1"}},
        **more,
    }


def together(*writes: tuple[str, dict[str, Any]]) -> Call:
    return "TransactWriteItems", {"TransactItems": [{kind: write} for kind, write in writes]}


NEW = {"ConditionExpression": "attribute_not_exists(id)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
MAPPED = {
    "m": {"M": {"b": {"B": b"\x00"}, "é": {"S": "é"}, "l": {"L": [{"BOOL": True}, {"M": {"n": {"NULL": True}}}]}}},
    "bs": {"BS": [b"\x01", b"\x02"]},
}
OF_ONE: dict[str, Any] = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "a"}}}
BETWEEN = {
    "KeyConditionExpression": "id = :id AND #item BETWEEN :from AND :to",
    "ExpressionAttributeNames": {"#item": "item"},
    "ExpressionAttributeValues": {":id": {"S": "a"}, ":from": {"S": "four"}, ":to": {"S": "two"}},
}
OF_INDEX = {
    "IndexName": "numbers",
    "KeyConditionExpression": "n = :n",
    "ExpressionAttributeValues": {":n": {"N": "1"}},
}
QUERIES: list[dict[str, Any]] = [
    OF_ONE,
    {**OF_ONE, "ScanIndexForward": False, "Limit": 2},
    {**OF_ONE, "ExclusiveStartKey": key("six")},
    {**OF_ONE, "ExpressionAttributeValues": {":id": {"S": "none"}}},
    {**OF_ONE, "ExpressionAttributeValues": {":id": {"N": "1"}}},
    BETWEEN,
    {**BETWEEN, "FilterExpression": "attribute_exists(b)"},
    {**BETWEEN, "ProjectionExpression": "s, b, nothing, m, n"},
    {**BETWEEN, "ProjectionExpression": "m.b, m.l[1], b"},
    {**BETWEEN, "FilterExpression": "attribute_exists(m.b) AND size(m) > size(s)"},
    OF_INDEX,
    {**OF_INDEX, "Limit": 1},
    {**OF_INDEX, "IndexName": "none"},
    {"KeyConditionExpression": "n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}},
    {},
]
CALLS: list[Call] = [
    ("PutItem", put("one", **NEW)),
    ("PutItem", put("one", **NEW)),
    ("PutItem", {"TableName": NAME, "Item": {**key("two"), **MAPPED}}),
    ("PutItem", {"TableName": NAME, "Item": key("")}),
    ("PutItem", {"TableName": NAME, "Item": {"id": {"S": "a"}}}),
    ("PutItem", {"TableName": NAME, "Item": {"id": "a"}}),
    ("PutItem", {"Item": key("three")}),
    ("GetItem", {"TableName": NAME, "Key": key("two"), "ConsistentRead": True}),
    ("GetItem", {"TableName": NAME, "Key": key("none")}),
    ("UpdateItem", update("one", ReturnValues="ALL_NEW")),
    ("UpdateItem", update("one", ConditionExpression="n > :n", ReturnValues="ALL_NEW")),
    ("UpdateItem", update("one", ConditionExpression="n < :n", ReturnValuesOnConditionCheckFailure="ALL_OLD")),
    ("UpdateItem", update("none")),
    together(("Update", update("one")), ("Put", put("four", **NEW))),
    together(("Update", update("one")), ("Put", put("five")), ("Put", put("four", **NEW))),
    together(("Put", put("four", **NEW)), ("Delete", {"TableName": NAME, "Key": key("one")})),
    together(("Delete", {"TableName": NAME, "Key": key("one")}), ("Put", put("six", **NEW)), ("Put", put("four", **NEW))),
    together(("Delete", {"TableName": NAME, "Key": key("one")}), ("Update", update("four")), ("Update", update("none"))),
    together(("Update", update("one")), ("Delete", {"TableName": NAME, "Key": key("one")})),
    together(("Update", update("seven", "SET n = :n")), ("Delete", {"TableName": NAME, "Key": key("two")})),
    (
        "PutItem",
        put("nine", Item={**key("nine"), "b": {"B": b"\xff"}, "m": MAPPED["m"], "n": {"N": "1.50"}, "s": {"SS": ["x"]}}),
    ),
    *(("Query", {"TableName": NAME, **asked}) for asked in QUERIES),
    ("Scan", {"TableName": NAME, "Limit": 2}),
    ("BatchGetItem", {"RequestItems": {NAME: {"Keys": [key("one"), key("two"), key("none")]}}}),
    ("BatchWriteItem", {"RequestItems": {NAME: [{"DeleteRequest": {"Key": key("one")}}]}}),
    ("DeleteItem", {"TableName": NAME, "Key": key("seven"), "ReturnValues": "ALL_OLD"}),
    ("DeleteItem", {"TableName": NAME, "Key": key("four"), "ConditionExpression": "attribute_not_exists(n)"}),
    ("DescribeTable", {"TableName": "another"}),
    *(
        ("PutItem", put("odd", Item={**key("odd"), **more}))
        for more in (
            {"b": {"B": bytearray(b"\xff")}},
            {"b": {"B": "text"}},
            {"bs": {"BS": (b"\x01", b"\x02")}},
            {"l": {"L": [{"S": Text.ODD}]}},
            {"l": {"L": "ab"}},
            {Text.ODD: {"S": "a"}},
            {"n": {"N": 1}},
            {"n": {"NULL": 1}},
            {"n": {"Z": "a"}},
            {"n": None},
            {"m": {"M": {"l": {"L": [{"M": {"n": {"N": None}}}]}}}},
        )
    ),
    ("Scan", {"TableName": NAME, "Limit": True}),
    ("Scan", {"TableName": NAME, "Limit": 0}),
    ("Scan", {"TableName": NAME, "Limit": 1.0}),
    ("GetItem", {"TableName": "", "Key": key("two")}),
    ("GetItem", {"TableName": NAME, "Key": key("two"), "Consistent": True}),
    ("BatchGetItem", {"RequestItems": {NAME: {"Keys": []}}}),
    *(("PutItem", put("large", Item={**key("large"), "t": {"S": "é" * length}})) for length in (202_600, 202_400)),
    ("UpdateItem", update("large", "SET n = :n", ExpressionAttributeValues={":n": {"S": "x" * 200}})),
    *(("PutItem", put("large", Item={**key(f"{n}"), "t": {"S": "é" * 150_000}})) for n in range(3)),
    ("Query", {"TableName": NAME, **OF_ONE}),
]


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("dynamodb", region_name=REGION)


def answers(dynamodb: Any, make: Make, *ways: Any) -> list[Any]:
    """What is answered to each call and is in the table then, and the records of the stream in the end."""
    with ExitStack() as until_the_end:
        for way in ways:
            until_the_end.enter_context(way)
        create_table(dynamodb, make)
        until_the_end.callback(dynamodb.delete_table, TableName=NAME)  # the other tests of this process have the same moto
        found = [(answer(dynamodb, make, *call), dynamodb.scan(TableName=NAME)["Items"]) for call in CALLS]
        return [*found, records()]


def create_table(dynamodb: Any, make: Make) -> None:
    kinds = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "item", "KeyType": "RANGE"}]
    asked = {
        "TableName": NAME,
        "KeySchema": kinds,
        "AttributeDefinitions": [
            *({"AttributeName": it["AttributeName"], "AttributeType": "S"} for it in kinds),
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "numbers",
                "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}, {"AttributeName": "item", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    make(dynamodb, "CreateTable", asked)


def answer(dynamodb: Any, make: Make, name: str, parameters: dict[str, Any]) -> Any:
    try:
        answered = make(dynamodb, name, parameters)
    except ClientError as error:
        kinds, answered = type(error).__mro__, dict(error.response)
        answered["raised"] = str(error), [kind.__name__ for kind in kinds]
    except ParamValidationError as error:
        return str(error)
    assert answered.pop("ResponseMetadata")["HTTPStatusCode"] in (200, 400, 403)
    return answered


def records() -> list[Any]:
    """What happened to each item, and its number before and after."""
    shard = dynamodb_backends[ACCOUNT][REGION].get_table(NAME).stream_shard
    assert shard
    found = [(it.record["eventName"], it.record["dynamodb"]) for it in shard.items]
    return [
        (name, it["SequenceNumber"], it["Keys"], *(it.get(image, {}).get("n") for image in ("OldImage", "NewImage")))
        for name, it in found
    ]


def test_moto_answers_the_same_without_botocore(dynamodb: Any) -> None:
    ordinary = answers(dynamodb, moto_shortcut.by_botocore, ordinary_expressions(), ordinary_queries(), ordinary_transactions())
    direct = answers(dynamodb, moto_shortcut.call, quick_expressions(), quick_queries(), quick_transactions())
    for call, one, other in zip([*CALLS, "records"], ordinary, direct, strict=True):
        assert one == other, call
    assert {name for name, *_ in ordinary[-1]} == {"INSERT", "MODIFY", "REMOVE"}


NOT_REPEATED = (
    *("MessageId", "ReceiptHandle", "SentTimestamp", "ApproximateFirstReceiveTimestamp", "CreatedTimestamp"),
    "LastModifiedTimestamp",
)


def answers_of_a_queue(sqs: Any, make: Make) -> list[Any]:
    found = []

    def ask(name: str, **parameters: Any) -> Any:
        found.append((name, answer(sqs, make, name, parameters)))
        return copy.deepcopy(found[-1][1])

    attributes = {"n": {"DataType": "String", "StringValue": "a"}}
    of_bytes = {"n": {"DataType": "Binary", "BinaryValue": b"\xff"}}
    of = {"QueueUrl": ask("CreateQueue", QueueName=NAME, Attributes={"VisibilityTimeout": "0"})["QueueUrl"]}
    ask("CreateQueue", QueueName=NAME, Attributes={"VisibilityTimeout": "1"})
    ask("GetQueueUrl", QueueName=NAME)
    ask("GetQueueUrl", QueueName="none")
    ask("SendMessage", **of, MessageBody="one", DelaySeconds=0, MessageAttributes=attributes)
    ask("SendMessage", **of, MessageBody="bytes", MessageAttributes=of_bytes)
    ask("SendMessage", **of, MessageBody="")
    ask("SendMessage", **of, MessageBody=1)
    ask("SendMessage", **of)
    entries = [{"Id": "1", "MessageBody": "two"}, {"Id": "2", "MessageBody": "three", "MessageAttributes": attributes}]
    ask("SendMessageBatch", **of, Entries=entries)
    ask("SendMessageBatch", **of, Entries=[entries[0], entries[0]])
    ask("SendMessageBatch", **of, Entries=[])
    asked: dict[str, Any] = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    messages = ask("ReceiveMessage", **of, MaxNumberOfMessages=10, **asked)["Messages"]
    ask("ReceiveMessage", **of, MaxNumberOfMessages=11)
    handles = [message["ReceiptHandle"] for message in messages]
    ask("ChangeMessageVisibility", **of, ReceiptHandle=handles[0], VisibilityTimeout=5)
    ask("DeleteMessage", **of, ReceiptHandle=handles[1])
    ask("DeleteMessage", **of, ReceiptHandle="none")
    ask("DeleteMessageBatch", **of, Entries=[{"Id": "1", "ReceiptHandle": handles[2]}])
    ask("GetQueueAttributes", **of, AttributeNames=["All"])
    ask("GetQueueAttributes", **of, AttributeNames=["None"])
    ask("PurgeQueue", **of)
    ask("PurgeQueue", **of)
    ask("ReceiveMessage", **of)
    ask("DeleteQueue", **of)
    ask("SendMessage", **of, MessageBody="late")
    return list(json.loads(json.dumps(found, default=bytes.hex), object_hook=without_ids))


def without_ids(found: dict[str, Any]) -> dict[str, Any]:
    return {name: "…" if name in NOT_REPEATED else value for name, value in found.items()}


def test_moto_answers_the_same_of_a_queue() -> None:
    with mock_aws():
        sqs = boto3.client("sqs", region_name=REGION)
        ordinary, direct = (answers_of_a_queue(sqs, make) for make in (moto_shortcut.by_botocore, moto_shortcut.call))
    for one, other in zip(ordinary, direct, strict=True):
        assert one == other


def test_botocore_need_not_look_at_ordinary_parameters(dynamodb: Any) -> None:
    with mock.patch.object(dynamodb._serializer, "serialize_to_request", side_effect=NotImplementedError):
        create_table(dynamodb, moto_shortcut.call)
        moto_shortcut.call(dynamodb, "PutItem", put("one", ReturnValues=Text.NONE))
        moto_shortcut.call(dynamodb, "DeleteTable", {"TableName": NAME})


def test_a_call_that_somebody_listens_to_is_made_by_botocore(dynamodb: Any) -> None:
    heard: list[str] = []

    def listen(model: Any, **_: Any) -> None:
        heard.append(model.name)

    with moto_shortcut.without_http():
        for event in ("provide-client-params", "before-call.dynamodb", "after-call.dynamodb.ListTables"):
            dynamodb.meta.events.register(event, listen)
            assert not moto_shortcut.answers_directly(dynamodb, "ListTables")
            dynamodb.list_tables()
            dynamodb.meta.events.unregister(event, listen)
            assert moto_shortcut.answers_directly(dynamodb, "ListTables")
            dynamodb.list_tables()
    assert heard == ["ListTables"] * 3
