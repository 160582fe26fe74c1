"""Messages of an SQS queue: how many are sent at once, and when one comes again that a function could not handle."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MAX_ENTRIES = 10  # of one request
ATTEMPTS = 3  # to send a message that SQS refuses within a request that it accepts
LONGEST_PAUSE = 120  # seconds between two receives of a failing message


def send_all(client: "SQSClient", queue_url: str, messages: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """Send these messages, ten in a request. Yields the numbers of those that SQS refused each time."""
    for ten in batched(enumerate(messages), MAX_ENTRIES, strict=False):
        left = dict(ten)
        for _ in range(ATTEMPTS):
            entries: list[Any] = [{"Id": str(number), **message} for number, message in left.items()]
            answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
            left = {number: left[number] for number in (int(failed["Id"]) for failed in answer.get("Failed", []))}
            if not left:
                break
        yield from left


def pause_after(receives: int) -> int:
    """Return the seconds after which a message comes again that was received so often: 1, 2, 4 …"""
    return min(int(2 ** (receives - 1)), LONGEST_PAUSE)


def come_again(client: "SQSClient", queue_url: str, receipt_handle: str, seconds: int) -> None:
    """Show a message again after so many seconds, instead of after the queue's visibility timeout."""
    client.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds)
