"""The events that the mappings of template.yaml pass to their functions: filtered stream records, and queue messages."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from waitpoints_client.ops.stream_filter import passes

from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import REGION


class Stream:
    """The table's stream from now on."""

    def __init__(self, stack: MotoStack) -> None:
        self._stack = stack
        self._found: list[dict[str, Any]] = []
        self._read_until = stack.writes()

    def records(self, function: str) -> list[dict[str, Any]]:
        """Every record that passes the filter of this function's mapping, as Lambda gets it."""
        patterns = self._stack.template.stream_filter(function)
        return [record for record in self.everything() if passes(patterns, record)]

    def everything(self) -> list[dict[str, Any]]:
        """Every record, as Lambda has it."""
        begin, self._read_until = self._read_until, self._stack.writes()
        self._found += map(self._as_lambda_has_it, self._stack.written(begin, self._read_until))
        return self._found

    def _as_lambda_has_it(self, record: Mapping[str, Any]) -> Any:
        text = json.dumps({**record, "eventSourceARN": self._stack.resources["Table"]["StreamArn"]}, default=_json)
        return json.loads(text)


def _json(value: Any) -> Any:
    match value:
        case datetime():
            return value.replace(tzinfo=UTC, microsecond=value.microsecond // 1000 * 1000).timestamp()
        case bytes():
            return base64.b64encode(value).decode()
    return value.to_json()  # moto's own


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
