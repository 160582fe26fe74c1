"""One timer for each token with a timeout: precise to the second, of any length, and without scanning the table.

    up to 15 minutes   a message on the timer queue, delayed until the timeout
    up to a year       a one-time schedule that sends that message EARLY before the timeout, because Scheduler is only
                       precise to the minute; the message is then delayed for the rest
    longer             a schedule in one year; its message finds the token waiting and arms the next timer. AWS does not
                       document how far ahead Scheduler can be set

A message only names the token to check. A message that arrives early, late, twice or for a settled token is therefore
harmless, and completing a token cancels nothing.
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
LONGEST_PAUSE = 120  # seconds between two receives of a failing message


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
        """Have the token checked at `timeout_at` (epoch milliseconds, as `now`). Arming twice is harmless.

        Raises CannotArm if the account's quota of schedules is used up.
        """
        message = json_text.dumps({"waitpointId": token_id})
        if timeout_at - now > LONGEST_DELAY:
            self._schedule(token_id, message, min(timeout_at - EARLY, now + LONGEST_SCHEDULE))
            return
        # Round up: a second late is acceptable, but an early message is received once more.
        delay = max(0, -(-(timeout_at - now) // 1000))
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=message, DelaySeconds=delay)

    def _schedule(self, token_id: str, message: str, instant: int) -> None:
        try:
            self._scheduler.create_schedule(
                Name=f"{token_id}.{instant // 1000}",  # distinct from the token's previous schedule
                GroupName=self._group,
                ScheduleExpression=f"at({iso(instant)[:19]})",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={"Arn": self._queue_arn, "RoleArn": self._role_arn, "Input": message},
            )
        except self._scheduler.exceptions.ConflictException:
            return  # armed when the same record came before
        except self._scheduler.exceptions.ServiceQuotaExceededException as error:
            raise CannotArm(type(error).__name__) from None

    def come_again_soon(self, receipt_handle: str, receives: int) -> None:
        """Show a failed message again after 1, 2, 4 … seconds instead of after the queue's visibility timeout."""
        pause = min(2 ** (receives - 1), LONGEST_PAUSE)
        self._sqs.change_message_visibility(QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=pause)
