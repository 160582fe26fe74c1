"""The notice queue, on a fake SQS."""

import json
from typing import Any

import pytest

from waitpoints.aws.notice_queue import LONGEST_SPREAD, LONGEST_WISH, NoticeQueue


class Noting:
    """Takes every call."""

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []
        self.changed: list[dict[str, Any]] = []

    def send_message_batch(self, Entries: list[Any], **_: Any) -> dict[str, Any]:
        self.sent += [json.loads(entry["MessageBody"]) for entry in Entries]
        return {}

    def send_message(self, MessageBody: str, **_: Any) -> None:
        self.sent.append(json.loads(MessageBody))

    def change_message_visibility(self, **parameters: Any) -> None:
        self.changed.append(parameters)


def test_a_message_only_names_its_token_and_what_a_redrive_does_with_it() -> None:
    sqs = Noting()
    assert NoticeQueue(sqs, "queue").send_all(["waitpoint_1", "waitpoint_2"]) == set()  # type: ignore[arg-type]
    assert sqs.sent == [{"waitpointId": f"waitpoint_{number}", "undone": "notice"} for number in (1, 2)]


def test_a_stray_message_is_named_too() -> None:
    sqs = Noting()
    NoticeQueue(sqs, "queue").send_unrecorded("waitpoint_1", "C01/17.4")  # type: ignore[arg-type]
    assert sqs.sent == [{"waitpointId": "waitpoint_1", "message": "C01/17.4", "undone": "notice"}]


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
