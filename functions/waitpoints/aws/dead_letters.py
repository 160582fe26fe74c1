"""The dead-letter queue for failures that retrying won't fix. An alarm watches it; an operator redrives it."""

from typing import TYPE_CHECKING

from waitpoints import json_text

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class DeadLetters:
    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, token_id: str, reason: str) -> None:
        """Record that a token needs an operator, and why. Its waiters stay on the token."""
        self._send({"waitpointId": token_id, "reason": reason})

    def put_event(self, token_id: str, reason: str) -> None:
        """Record that a token's event is not on the event bus, and why. A redrive puts it."""
        self._send({"waitpointId": token_id, "reason": reason, "undone": "event"})

    def put_notice(self, token_id: str, target: str, reason: str) -> None:
        """Record that a token's target was not notified, and why. A redrive notifies it."""
        self._send({"waitpointId": token_id, "reason": f"{target}: {reason}", "undone": "notice"})

    def _send(self, letter: dict[str, str]) -> None:
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=json_text.dumps(letter))
