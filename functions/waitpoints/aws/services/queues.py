"""The stack's SQS queues: timers, notices, and the dead letters.

A message only names the token. One that arrives early, late, twice or for a settled token is therefore harmless.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
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
FIRST_PAUSE = 1  # second
LONGEST_WISH = 3_600  # seconds that a channel may keep a message away
LONGEST_SPREAD = 600  # seconds over which messages are spread that come again


class _Queue:
    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def _send(self, message: Mapping[str, Any]) -> None:
        self._client.send_message(QueueUrl=self._queue_url, **message)

    def _send_all(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[int]:
        """Send these messages, ten in a request. Yields the numbers of those that SQS refused each time."""
        for ten in batched(enumerate(messages), MAX_ENTRIES, strict=False):
            left = dict(ten)
            for _ in range(ATTEMPTS):
                entries: list[Any] = [{"Id": str(number), **message} for number, message in left.items()]
                answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
                left = {number: left[number] for number in (int(failed["Id"]) for failed in answer.get("Failed", []))}
                if not left:
                    break
            yield from left

    def _show_again(self, receipt_handle: str, seconds: int) -> None:
        """Show a message again after so many seconds, instead of after the queue's visibility timeout."""
        self._client.change_message_visibility(
            QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )


class TimerQueue(_Queue):
    """A message fires a token's timer, precise to the second.

    Completing a token cancels nothing. SQS delays a message by at most 15 minutes. `timers.due` says who sends which message
    when.
    """

    def send(self, timer: Timer, now: int, *, names_instant: bool = False) -> None:
        """Start a token's timer. With `names_instant`, its message comes back while the token does not have that instant."""
        self._send(_timer(timer, now, **({"instant": timer.due_at} if names_instant else {})))

    def send_all(self, timers: Sequence[Timer], now: int) -> set[str]:
        """Start these tokens' timers. Returns the ids of those whose message SQS refused each time."""
        return {timers[number].token_id for number in self._send_all([_timer(timer, now) for timer in timers])}

    def come_again_soon(self, receipt_handle: str, receives: int) -> None:
        """Show a failed message again soon."""
        self._show_again(receipt_handle, pause_after(receives))


class NoticeQueue(_Queue):
    """Each message names a token whose notices may have to be sent.

    `undone` is for a redrive: a message that was received too often ends in the dead-letter queue as it is.
    """

    def send_all(self, token_ids: Sequence[str]) -> set[str]:
        """Have what is missing sent about these tokens. Returns the ids of those whose message SQS refused each time."""
        return {token_ids[number] for number in self._send_all([_notice(token_id) for token_id in token_ids])}

    def send_unrecorded(self, token_id: str, message: str) -> None:
        """Have a message about a token that has ended edited. `message` is how its channel names it."""
        self._send(_notice(token_id, message=message))

    def come_again(self, receipt_handle: str, receives: int, after: int | None = None) -> None:
        """Show a message again after so many seconds or more. None: the channel does not say.

        A hundred messages that a channel keeps away for a second would come at once again, and each be received once a second.
        So each time they are spread over twice as long.
        """
        pause = FIRST_PAUSE if after is None else min(after, LONGEST_WISH)
        if pause:
            pause += int(random.uniform(0, min(2 ** (receives - 1), LONGEST_SPREAD)))  # noqa: S311 - jitter
        self._show_again(receipt_handle, pause)


class DeadLetters(_Queue):
    """Failures that retrying won't fix. An alarm watches the queue, and an operator redrives it."""

    def put(self, token_id: str, reason: str) -> None:
        """Record that a token needs an operator, and why. Its waiters stay on the token."""
        self._send(_body(token_id, reason=reason))

    def put_event(self, token_id: str, reason: str) -> None:
        """Record that a token's event is not on the event bus, and why. A redrive puts it."""
        self._send(_body(token_id, reason=reason, undone="event"))

    def put_notice(self, token_id: str, target: str, reason: str) -> None:
        """Record that a token's target was not notified, and why. A redrive notifies it."""
        self._send(_notice(token_id, reason=f"{target}: {reason}"))


def pause_after(receives: int) -> int:
    """Return the seconds after which a message comes again that was received so often: 1, 2, 4 …"""
    return min(int(2 ** (receives - 1)), LONGEST_PAUSE)


def _timer(timer: Timer, now: int, **named: int) -> dict[str, Any]:
    """The delay is rounded up: a second late is acceptable, but an early one comes once more."""
    delay = -(-(min(timer.due_at - now, NEAR)) // 1000)
    return {**_body(timer.token_id, **named), "DelaySeconds": max(0, delay)}


def _notice(token_id: str, **more: str) -> dict[str, str]:
    return _body(token_id, **more, undone="notice")


def _body(token_id: str, **more: str | int) -> dict[str, str]:
    return {"MessageBody": json_text.dumps({"waitpointId": token_id, **more})}
