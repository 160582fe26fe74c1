"""Telling Step Functions a waiter's outcome, and what each of its answers means.

    answer                                        meaning                  what follows
    success                                       the execution goes on    recorded as RESUMED
    TaskTimedOut, TaskDoesNotExist, InvalidToken  the waiter is gone       recorded as GONE, never retried
    InvalidOutput, AccessDenied, a key of KMS     this can never succeed   CannotResume: dead letter, waiter kept
    that may not be used
    throttling, 5xx, no answer                    not now                  CannotResumeNow: retried

AWS gives the same error for a task token that was used and for one that expired, so GONE says no more than it does.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints.errors import CannotResume, CannotResumeNow
from waitpoints.token import Answer
from waitpoints.waiter_result import Failure, Success

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

_GONE = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}
_NEVER = {
    "InvalidOutput",
    "AccessDenied",
    "AccessDeniedException",
    "ValidationException",
    "KmsAccessDeniedException",
    "KmsInvalidStateException",
}


class StepFunctions:
    """The client is made when the first waiter is resumed: most requests resume nobody."""

    def __init__(self, make_client: "Callable[[], SFNClient]") -> None:
        self._make_client = make_client

    def resume(self, task_token: str, result: Success | Failure) -> Answer:
        """Give a waiter its result, in one call. Raises CannotResumeNow or CannotResume as in the table above."""
        try:
            match result:
                case Success(json):
                    self._client.send_task_success(taskToken=task_token, output=json)
                case Failure(error, cause):
                    self._client.send_task_failure(taskToken=task_token, error=error, cause=cause)
                case _:
                    assert_never(result)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _GONE:
                return Answer.GONE
            raise (CannotResume if code in _NEVER else CannotResumeNow)(code) from None
        except BotoCoreError as error:
            raise CannotResumeNow(type(error).__name__) from None
        return Answer.RESUMED

    @cached_property
    def _client(self) -> "SFNClient":
        return self._make_client()
