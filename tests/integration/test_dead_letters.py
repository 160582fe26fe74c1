"""What retrying does not fix waits in a queue, in the words that `waitpoints redrive` reads."""

import json
from collections.abc import Callable

import boto3
import pytest

from tests.support.in_process.moto_stack import MotoStack
from waitpoints.aws.dead_letters import DeadLetters


@pytest.mark.parametrize(("put", "more"), [(DeadLetters.put, {}), (DeadLetters.put_event, {"undone": "event"})])
def test_a_letter_names_its_token_the_reason_and_what_is_undone(
    stack: MotoStack, put: Callable[[DeadLetters, str, str], None], more: dict[str, str]
) -> None:
    client, url = boto3.client("sqs"), stack.resources["DeadLetterQueue"]["Ref"]
    put(DeadLetters(client, url), "waitpoint_1", "AccessDenied: größer")
    [letter] = client.receive_message(QueueUrl=url)["Messages"]
    client.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    assert json.loads(letter["Body"]) == {"waitpointId": "waitpoint_1", "reason": "AccessDenied: größer", **more}


def test_a_letter_about_a_notice_names_its_place_too(stack: MotoStack) -> None:
    client, url = boto3.client("sqs"), stack.resources["DeadLetterQueue"]["Ref"]
    DeadLetters(client, url).put_notice("waitpoint_1", "slack.0", "channel_not_found")
    [letter] = client.receive_message(QueueUrl=url)["Messages"]
    client.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    expected = {"waitpointId": "waitpoint_1", "reason": "slack.0: channel_not_found", "undone": "notice"}
    assert json.loads(letter["Body"]) == expected
