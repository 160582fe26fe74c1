"""A stack on moto whose parameters were changed: what tells people of tokens is there, and invoked by what AWS would."""

import base64
import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.event_sources import NoticeEvents, Stream
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_stack import MotoStack, client_of, updated
from tests.support.in_process.settling import complete
from tests.support.in_process.template import CHANNELS
from waitpoints.aws.items import primary_key
from waitpoints.token import Document, DocumentKind, NewToken, Waiter
from waitpoints.wiring import services

TOLD = Document(DocumentKind.PAGE, '{"title": "Pay?"}', notify='{"slack": "#deploys"}')
SLACK = "/api/v1/slack"


class Functions:
    """They stand for those of the stack: the readers of the stream send a message for each token, and the last notes it."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []
        self.fails = False

    def read(self, event: Any, _: Any) -> Any:
        for record in event["Records"]:
            image = record["dynamodb"]["NewImage"]
            body = {"waitpointId": image["id"]["S"], "status": image["status"]["S"]}
            client_of("sqs").send_message(QueueUrl=os.environ["NOTICE_QUEUE_URL"], MessageBody=json.dumps(body))
        return {"batchItemFailures": []}

    def send(self, event: Any, _: Any) -> Any:
        for record in event["Records"]:
            body = json.loads(record["body"])
            self.noted.append((body["waitpointId"], body["status"]))
        return {"batchItemFailures": [{"itemIdentifier": it["messageId"]} for it in event["Records"] if self.fails]}

    def answer(self, event: Any, _: Any) -> Any:
        return {"statusCode": 200, "headers": {}, "body": event["routeKey"]}


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    functions = Functions()
    handlers = {"schedule_timeouts": functions.read, "resume_waiters": functions.read}
    for name, handler in {**handlers, "send_notices": functions.send, "answer_slack": functions.answer}.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(handler=handler))
    return functions


@pytest.fixture
def told(stack: MotoStack, functions: Functions) -> Iterator[MotoStack]:
    with updated(stack, CHANNELS) as told:
        yield told


def create(**more: Any) -> str:
    return services.tokens.create(NewToken(**more), services.now()).token_id


@pytest.mark.slow
def test_a_message_is_passed_on_for_each_change_of_a_token_of_which_people_are_told(
    told: MotoStack, functions: Functions
) -> None:
    events = NoticeEvents(told)
    create()
    token_id = create(document=TOLD)
    assert events.pass_on() == []
    services.tokens.wait(token_id, Waiter("a task token", services.now()))
    events.pass_on()
    events.pass_on()
    complete(services.tokens, token_id, "{}")
    events.pass_on()
    assert functions.noted == [(token_id, status) for status in ("WAITING", "WAITING", "COMPLETED")]


def test_a_message_that_fails_is_said(told: MotoStack, functions: Functions) -> None:
    events, functions.fails = NoticeEvents(told), True
    token_id = create(document=TOLD)
    [body] = events.pass_on()
    assert json.loads(body)["waitpointId"] == token_id


def test_slacks_route_is_there_only_within_the_change(stack: MotoStack, functions: Functions) -> None:
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
