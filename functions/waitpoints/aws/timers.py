"""The timer queue: a message on it has a token looked at, precise to the second.

A message only names the token. One that arrives early, late, twice or for a settled token is therefore harmless, and completing
a token cancels nothing. SQS delays a message by at most 15 minutes. `waitpoints.waking` says who sends which message when.
"""

from collections.abc import Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

from waitpoints import json_text
from waitpoints.ports import Timer
from waitpoints.token import NEAR

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MAX_ENTRIES = 10  # of one request
ATTEMPTS = 3  # to send a message that SQS refuses within a request that it accepts
LONGEST_PAUSE = 120  # seconds between two receives of a failing message


class Timers:
    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, timer: Timer, now: int, *, names_instant: bool = False) -> None:
        """Have one token looked at. With `names_instant`, the message comes back while the token does not have that instant."""
        named = {"instant": timer.wake_at} if names_instant else {}
        self._client.send_message(QueueUrl=self._queue_url, **_message(timer, now, **named))

    def send_all(self, timers: Sequence[Timer], now: int) -> set[str]:
        """Have these tokens looked at, ten in a request. Returns the ids of those whose message SQS refused each time."""
        return {timer.token_id for ten in batched(timers, MAX_ENTRIES, strict=False) for timer in self._send_ten(ten, now)}

    def _send_ten(self, timers: Sequence[Timer], now: int) -> Sequence[Timer]:
        for _ in range(ATTEMPTS):
            entries: list[Any] = [{"Id": str(number), **_message(timer, now)} for number, timer in enumerate(timers)]
            answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            timers = [timers[int(failed["Id"])] for failed in answer.get("Failed", [])]
            if not timers:
                break
        return timers

    def come_again_soon(self, receipt_handle: str, receives: int) -> None:
        """Show a failed message again after 1, 2, 4 … seconds instead of after the queue's visibility timeout."""
        pause = min(2 ** (receives - 1), LONGEST_PAUSE)
        self._client.change_message_visibility(QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=pause)


def _message(timer: Timer, now: int, **named: int) -> dict[str, Any]:
    """Return what every message has. Its delay is rounded up: a second late is acceptable, but an early one comes once more."""
    delay = -(-(min(timer.wake_at - now, NEAR)) // 1000)
    return {"MessageBody": json_text.dumps({"waitpointId": timer.token_id, **named}), "DelaySeconds": max(0, delay)}
