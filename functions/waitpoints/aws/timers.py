"""One timer for each token with a timeout, to the second and at any length, without looking through the table.

    up to 15 minutes   a message on the timer queue, delayed until the timeout
    up to a year       a one-off schedule that puts that message on the queue EARLY before the timeout, since Scheduler
                       is only precise to a minute; the message is then delayed again for the rest
    longer             a schedule in a year, whose message finds the token waiting and is followed by the next one:
                       how far ahead Scheduler can look is written nowhere

A message only says which token to look at. So a message that comes early, late or twice, or for a token that has
settled, does no harm, and nothing has to be called off when a token is completed.
"""

from typing import TYPE_CHECKING

from waitpoints import json_text
from waitpoints.errors import CannotArm
from waitpoints.token import iso

if TYPE_CHECKING:
    from types_boto3_scheduler import EventBridgeSchedulerClient
    from types_boto3_sqs import SQSClient

LONGEST_DELAY = 900_000  # milliseconds: SQS delays a message by at most 15 minutes
LONGEST_SCHEDULE = 365 * 86_400_000  # milliseconds
EARLY = 120_000  # milliseconds
LONGEST_PAUSE = 120  # seconds between two deliveries of a message that failed


class Timers:
    def __init__(
        self,
        sqs: "SQSClient",
        scheduler: "EventBridgeSchedulerClient",
        *,
        queue_url: str,
        queue_arn: str,
        group: str,
        role_arn: str,
    ) -> None:
        self._sqs = sqs
        self._scheduler = scheduler
        self._queue_url = queue_url
        self._queue_arn = queue_arn
        self._group = group
        self._role_arn = role_arn

    def arm(self, token_id: str, timeout_at: int, now: int) -> None:
        """Make sure that the token is looked at when its timeout has come. Arming twice is harmless.

        Raises CannotArm if the account has no room for another schedule.
        """
        message = json_text.dumps({"waitpointId": token_id})
        if timeout_at - now > LONGEST_DELAY:
            self._schedule(token_id, message, min(timeout_at - EARLY, now + LONGEST_SCHEDULE))
            return
        # Rounded up: a second late is on time, a message before its time costs another round.
        delay = max(0, -(-(timeout_at - now) // 1000))
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=message, DelaySeconds=delay)

    def _schedule(self, token_id: str, message: str, instant: int) -> None:
        try:
            self._scheduler.create_schedule(
                Name=f"{token_id}.{instant // 1000}",  # a token's next schedule must not meet its last one
                GroupName=self._group,
                ScheduleExpression=f"at({iso(instant)[:19]})",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={"Arn": self._queue_arn, "RoleArn": self._role_arn, "Input": message},
            )
        except self._scheduler.exceptions.ConflictException:
            return  # armed by an earlier delivery of the same record
        except self._scheduler.exceptions.ServiceQuotaExceededException as error:
            raise CannotArm(type(error).__name__) from None

    def come_again_soon(self, receipt_handle: str, deliveries: int) -> None:
        """Let a message that failed come back after 1, 2, 4 … seconds rather than after the queue's visibility timeout."""
        pause = min(2 ** (deliveries - 1), LONGEST_PAUSE)
        self._sqs.change_message_visibility(QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=pause)
