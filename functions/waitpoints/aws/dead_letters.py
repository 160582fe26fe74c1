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
        body = json_text.dumps({"waitpointId": token_id, "reason": reason})
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)
