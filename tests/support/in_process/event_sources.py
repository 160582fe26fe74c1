"""The events that the mappings of template.yaml pass to their functions: filtered stream records, and queue messages."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from waitpoints_client.ops.stream_filter import passes

from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import REGION

READERS = ("schedule_timeouts", "resume_waiters")
"""The functions that the table's stream invokes."""
MOST = 1_000  # records in one answer


class Stream:
    """The table's stream from now on."""

    def __init__(self, stack: MotoStack) -> None:
        self._stack = stack
        self._client = client_of("dynamodbstreams")
        self._arn = stack.resources["Table"]["StreamArn"]
        [shard] = self._client.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        self._next = self._client.get_shard_iterator(StreamArn=self._arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST")[
            "ShardIterator"
        ]
        self._found: list[dict[str, Any]] = []
        self._read_until = stack.writes()

    def records(self, function: str) -> list[dict[str, Any]]:
        """Every record that passes the filter of this function's mapping, as Lambda gets it."""
        if self._stack.writes() != self._read_until:
            self._read()
        patterns = self._stack.template.stream_filter(function)
        return [record for record in self._found if passes(patterns, record)]

    def _read(self) -> None:
        end = self._stack.writes()
        answer = self._client.get_records(ShardIterator=self._next, Limit=MOST)
        self._next = answer["NextShardIterator"]
        self._read_until = end if len(answer["Records"]) < MOST else 0
        for record in answer["Records"]:
            shown = {**_with_bytes_as_written(record), "eventSourceARN": self._arn}
            self._found.append(json.loads(json.dumps(shown, default=_as_lambda_has_it)))


def _with_bytes_as_written(record: Any) -> Any:
    """In a record, moto encodes the bytes of an attribute in base64 twice. Those within maps are right."""
    for image in ("NewImage", "OldImage"):
        for value in record["dynamodb"].get(image, {}).values():
            if "B" in value:
                value["B"] = base64.b64decode(value["B"])
    return record


def _as_lambda_has_it(value: Any) -> float | str:
    return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()


class NoticeEvents:
    """What invokes the functions that tell people of tokens: the stream from now on, and the notice queue."""

    def __init__(self, stack: MotoStack) -> None:
        self._stack, self._stream = stack, Stream(stack)
        self._passed: set[tuple[str, str]] = set()

    def pass_on(self) -> list[str]:
        """Invoke each of them with what there is for it. Returns the bodies of the messages that failed, and are not kept."""
        for function in READERS:
            for record in self._stream.records(function):
                number = (function, record["dynamodb"]["SequenceNumber"])
                if number not in self._passed:
                    self._passed.add(number)
                    assert failures(self._call(function, {"Records": [record]})) == []
        bodies = receive_all(self._stack.resources["NoticeQueue"]["Ref"])
        return [body for body in bodies if failures(self._call("send_notices", queue_event([body])))]

    def _call(self, function: str, event: Any) -> Any:
        return self._stack.functions()[function].call(event)


def receive_all(queue_url: str) -> list[str]:
    """Take every message from a queue that it shows now. Returns their bodies."""
    sqs, bodies = client_of("sqs"), list[str]()
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", []):
        bodies += [message["Body"] for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def queue_event(bodies: Sequence[str], sent_at: int = 0) -> dict[str, Any]:
    """Messages of a queue as Lambda gets them, their ids counted from 0. They were sent at that instant."""
    records = [
        {
            "messageId": str(number),
            "receiptHandle": f"handle-{number}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(sent_at)},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "awsRegion": REGION,
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def failures(answer: Any) -> list[str]:
    """The records that a function reports as failed."""
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
