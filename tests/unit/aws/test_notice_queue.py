"""The notice queue, on moto."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from waitpoints.aws.notice_queue import LONGEST_SPREAD, LONGEST_WISH, NoticeQueue


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("sqs", "us-east-1")


class Noting:
    def __init__(self) -> None:
        self.changed: list[dict[str, Any]] = []

    def change_message_visibility(self, **parameters: Any) -> None:
        self.changed.append(parameters)


@pytest.fixture
def url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="notices")["QueueUrl"])


def received(sqs: Any, url: str) -> list[dict[str, Any]]:
    return list(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []))


def test_a_message_only_names_its_token_and_what_a_redrive_does_with_it(sqs: Any, url: str) -> None:
    assert NoticeQueue(sqs, url).send_all(["waitpoint_1", "waitpoint_2"]) == set()
    bodies = [json.loads(message["Body"]) for message in received(sqs, url)]
    assert sorted(bodies, key=str) == [{"waitpointId": f"waitpoint_{number}", "undone": "notice"} for number in (1, 2)]


def test_a_stray_message_is_named_too(sqs: Any, url: str) -> None:
    NoticeQueue(sqs, url).send_stray("waitpoint_1", "C01/17.4")
    [message] = received(sqs, url)
    assert json.loads(message["Body"]) == {"waitpointId": "waitpoint_1", "message": "C01/17.4", "undone": "notice"}


def test_the_tokens_are_returned_whose_message_is_refused() -> None:
    class Refusing:
        def send_message_batch(self, Entries: list[Any], **_: Any) -> dict[str, Any]:
            return {"Failed": [{"Id": entry["Id"]} for entry in Entries if "waitpoint_2" in entry["MessageBody"]]}

    assert NoticeQueue(Refusing(), "queue").send_all(["waitpoint_1", "waitpoint_2"]) == {"waitpoint_2"}  # type: ignore[arg-type]


@pytest.mark.parametrize(("receives", "after", "pause"), [(1, None, 1), (9, 0, 0), (1, 30, 30), (1, 10**9, LONGEST_WISH)])
def test_a_message_comes_again_when_its_channel_wants_it(receives: int, after: int | None, pause: int) -> None:
    sqs = Noting()
    NoticeQueue(sqs, "queue").come_again("handle", receives, after)  # type: ignore[arg-type]
    assert sqs.changed == [{"QueueUrl": "queue", "ReceiptHandle": "handle", "VisibilityTimeout": pause}]


@pytest.mark.parametrize(("after", "least"), [(30, 30), (None, 1)])
@pytest.mark.parametrize(("receives", "most"), [(2, 2), (5, 16), (8, 128), (90, LONGEST_SPREAD)])
def test_many_that_come_again_are_spread(receives: int, most: int, after: int | None, least: int) -> None:
    sqs = Noting()
    for _ in range(500):
        NoticeQueue(sqs, "queue").come_again("handle", receives, after)  # type: ignore[arg-type]
    pauses = {it["VisibilityTimeout"] - least for it in sqs.changed}
    assert 0 <= min(pauses) <= most // 10
    assert most * 9 // 10 <= max(pauses) + 1 <= most
    assert len(pauses) >= min(most, 100)
