"""The notice queue: each message names a token whose notices may have to be sent.

A message only names the token, so one that comes late, twice or in vain does no harm. `undone` is for a redrive: a message that
was received too often ends in the dead-letter queue as it is.
"""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from waitpoints import json_text
from waitpoints.aws import messages

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

FIRST_PAUSE = 1  # second
LONGEST_WISH = 3_600  # seconds that a channel may keep a message away
LONGEST_SPREAD = 600  # seconds over which messages are spread that come again


class NoticeQueue:
    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send_all(self, token_ids: Sequence[str]) -> set[str]:
        bodies = [{"MessageBody": _body(token_id)} for token_id in token_ids]
        return {token_ids[number] for number in messages.send_all(self._client, self._queue_url, bodies)}

    def send_unrecorded(self, token_id: str, message: str) -> None:
        """Have a message about a token that has ended edited. `message` is how its channel names it."""
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=_body(token_id, message=message))

    def come_again(self, receipt_handle: str, receives: int, after: int | None = None) -> None:
        """Show a message again after so many seconds or more. None: the channel does not say.

        A hundred messages that a channel keeps away for a second would come at once again, and each be received once a second.
        So each time they are spread over twice as long.
        """
        pause = FIRST_PAUSE if after is None else min(after, LONGEST_WISH)
        if pause:
            pause += int(random.uniform(0, min(2 ** (receives - 1), LONGEST_SPREAD)))  # noqa: S311 - jitter
        messages.come_again(self._client, self._queue_url, receipt_handle, pause)


def _body(token_id: str, **more: str) -> str:
    return json_text.dumps({"waitpointId": token_id, **more, "undone": "notice"})
