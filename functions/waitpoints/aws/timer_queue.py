"""The timer queue: a message on it fires a token's timer, precise to the second.

A message only names the token. One that arrives early, late, twice or for a settled token is therefore harmless, and completing
a token cancels nothing. SQS delays a message by at most 15 minutes. `timers.due` says who sends which message when.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from waitpoints import json_text
from waitpoints.aws import messages
from waitpoints.ports import Timer
from waitpoints.token import NEAR

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class TimerQueue:
    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, timer: Timer, now: int, *, names_instant: bool = False) -> None:
        """Start a token's timer. With `names_instant`, its message comes back while the token does not have that instant."""
        named = {"instant": timer.due_at} if names_instant else {}
        self._client.send_message(QueueUrl=self._queue_url, **_message(timer, now, **named))

    def send_all(self, timers: Sequence[Timer], now: int) -> set[str]:
        """Start these tokens' timers. Returns the ids of those whose message SQS refused each time."""
        refused = messages.send_all(self._client, self._queue_url, [_message(timer, now) for timer in timers])
        return {timers[number].token_id for number in refused}

    def come_again_soon(self, receipt_handle: str, receives: int) -> None:
        """Show a failed message again soon, instead of after the queue's visibility timeout."""
        messages.come_again(self._client, self._queue_url, receipt_handle, messages.pause_after(receives))


def _message(timer: Timer, now: int, **named: int) -> dict[str, Any]:
    """Return what every message has. Its delay is rounded up: a second late is acceptable, but an early one comes once more."""
    delay = -(-(min(timer.due_at - now, NEAR)) // 1000)
    return {"MessageBody": json_text.dumps({"waitpointId": timer.token_id, **named}), "DelaySeconds": max(0, delay)}
