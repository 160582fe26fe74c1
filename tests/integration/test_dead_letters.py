"""What retrying does not fix waits in a queue, in the words that `waitpoints redrive` reads."""

import json
from collections.abc import Callable

import pytest

from tests.support.in_process.moto_stack import MotoStack, client_of
from waitpoints.aws.services.queues import DeadLetters

DENIED = "AccessDenied: größer"


@pytest.mark.parametrize(
    ("put", "given", "expected"),
    [
        (DeadLetters.put, [DENIED], {"reason": DENIED}),
        (DeadLetters.put_event, [DENIED], {"reason": DENIED, "undone": "event"}),
        (DeadLetters.put_notice, ["slack.0", "gone"], {"reason": "slack.0: gone", "undone": "notice"}),
    ],
)
def test_a_letter_names_its_token_the_reason_and_what_is_undone(
    stack: MotoStack, put: Callable[..., None], given: list[str], expected: dict[str, str]
) -> None:
    client, url = client_of("sqs"), stack.resources["DeadLetterQueue"]["Ref"]
    put(DeadLetters(client, url), "waitpoint_1", *given)
    [letter] = client.receive_message(QueueUrl=url)["Messages"]
    client.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    assert json.loads(letter["Body"]) == {"waitpointId": "waitpoint_1", **expected}
