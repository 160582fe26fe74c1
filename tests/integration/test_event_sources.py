"""A stack on moto whose parameters were changed has what tells people of tokens. Items and records are AWS's."""

import base64
import json
import os
import sys
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_stack import MotoStack, client_of, updated
from tests.support.in_process.settling import complete
from tests.support.in_process.template import CHANNELS
from waitpoints.aws.items import primary_key
from waitpoints.token import Document, DocumentKind, NewToken, Waiter
from waitpoints.wiring import services

TOLD = Document(DocumentKind.PAGE, '{"title": "Pay?"}', notify='{"slack": "#deploys"}')
SLACK = "/api/v1/slack"


@pytest.fixture
def answer_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that stands for the stack's."""

    def handler(event: Any, _: Any) -> Any:
        return {"statusCode": 200, "headers": {}, "body": event["routeKey"]}

    monkeypatch.setitem(sys.modules, "answer_slack", SimpleNamespace(handler=handler))


def create(**more: Any) -> str:
    return services.tokens.create(NewToken(**more), services.now()).token_id


@pytest.mark.usefixtures("answer_slack")
def test_slacks_route_is_there_only_within_the_change(stack: MotoStack) -> None:
    def answered(where: MotoStack) -> tuple[int, str]:
        answer = Api(where.template, "key").post(SLACK, "payload=1", {})
        return answer.status, answer.text

    assert answered(stack)[0] == 404
    with updated(stack, {"Slack": "on"}) as told:
        assert answered(told) == (200, f"POST {SLACK}")
    with updated(stack, {"Teams": "on"}) as without_slack:
        assert answered(without_slack)[0] == 404


def test_the_functions_have_the_variables_of_the_channels_only_within_the_change(stack: MotoStack) -> None:
    names = ("MAIL_FROM", "SLACK", "TEAMS", "NOTICE_QUEUE_URL")
    before = {name: os.environ.get(name) for name in names}
    with updated(stack, CHANNELS) as told:
        queue = told.resources["NoticeQueue"]["Ref"]
        assert [os.environ[name] for name in names] == [*CHANNELS.values(), queue]
        assert queue in client_of("sqs").list_queues()["QueueUrls"]
    assert {name: os.environ.get(name) for name in names} == before == dict.fromkeys(names)
    assert queue not in client_of("sqs").list_queues()["QueueUrls"]


def test_the_items_are_copies_of_what_a_scan_finds(stack: MotoStack) -> None:
    stack.empty_table()
    maps = {"M": {"a": {"L": [{"NULL": True}, {"M": {"é": {"BOOL": False}}}]}, "b": {"B": b"\xff"}}}
    keys: list[Any] = [{"id": {"S": id_}, "item": {"S": item}} for id_, item in ("b3", "b1", "b4", "b2", "a1")]
    for key in keys:
        stack.put({**key, "m": maps, "b": {"B": b"\x00\xff"}, "s": {"SS": ["x"]}})
    client_of("dynamodb").delete_item(TableName=stack.table, Key=keys.pop(2))
    scanned = client_of("dynamodb").scan(TableName=stack.table)["Items"]
    assert stack.every_item() == [next(it for it in scanned if it.items() >= key.items()) for key in keys]
    found = stack.items("b")
    found[0]["m"]["M"].clear()
    found[0]["s"]["SS"].append("y")
    assert (stack.items("b")[0]["m"], stack.items("b")[0]["s"]) == (maps, {"SS": ["x"]})


def test_the_records_of_the_stream_are_those_that_moto_answers(stack: MotoStack, waits: FakeWaits) -> None:
    """Bytes, an item that was changed and one that was removed, and attributes of every kind."""
    read, streams = Stream(stack), client_of("dynamodbstreams")
    arn, table = stack.resources["Table"]["StreamArn"], stack.table
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    begin = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST")
    token_id = create(document=TOLD, waiter=Waiter(waits.start(), services.now()))
    complete(services.tokens, token_id, "{}")
    item: Any = {
        **primary_key(token_id, "x"),
        "b": {"B": b"\xff"},
        "m": {"M": {"b": {"B": b"\xfe"}, "l": {"L": [{"NULL": True}]}}},
    }
    client_of("dynamodb").put_item(TableName=table, Item=item)
    client_of("dynamodb").delete_item(TableName=table, Key=primary_key(token_id, "x"))

    answered = streams.get_records(ShardIterator=begin["ShardIterator"])["Records"]
    assert {record["eventName"] for record in answered} == {"INSERT", "MODIFY", "REMOVE"}
    shown = [{**with_bytes_as_written(record), "eventSourceARN": arn} for record in answered]
    assert read.everything() == json.loads(json.dumps(shown, default=as_lambda_has_it))


def with_bytes_as_written(record: Any) -> Any:
    """In a record, moto encodes the bytes of an attribute in base64 twice. Those within maps are right."""
    for image in ("NewImage", "OldImage"):
        for value in record["dynamodb"].get(image, {}).values():
            if "B" in value:
                value["B"] = base64.b64decode(value["B"])
    return record


def as_lambda_has_it(value: Any) -> float | str:
    return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()
