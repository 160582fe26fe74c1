"""Telling Step Functions a waiter's outcome, and what each of its answers means.

    answer                                        meaning                   what follows
    success                                       the execution goes on     recorded as RESUMED
    TaskTimedOut, TaskDoesNotExist                the waiter is gone        recorded as GONE, never retried
    InvalidOutput                                 the output is refused     OutputRefused: the waiter fails instead
    InvalidToken, AccessDenied, an unusable       retrying won't fix that   CannotResume: dead letter, waiter kept
    KMS key
    throttling, 5xx, no answer                    not now                   CannotResumeNow: retried

AWS returns TaskTimedOut both for a task token that was used and for one that expired, so GONE can mean either.
InvalidToken is different: a task token that Step Functions never issued, or that belongs to another account or region.
Its execution would wait without anyone noticing, so it counts as a failure that an operator must see.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Protocol, assert_never

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints.errors import CannotResume, CannotResumeNow, OutputRefused
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import Failure, Success

_GONE = {"TaskTimedOut", "TaskDoesNotExist"}
_NEVER = {
    "InvalidToken",
    "AccessDenied",
    "AccessDeniedException",
    "ValidationException",
    "KmsAccessDeniedException",
    "KmsInvalidStateException",
}


class TaskClient(Protocol):
    """The part of boto3's Step Functions client that ends a task."""

    def send_task_success(self, *, taskToken: str, output: str) -> object: ...

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> object: ...


class StepFunctions:
    """The client is made when the first waiter is resumed: most requests resume nobody."""

    def __init__(self, make_client: Callable[[], TaskClient]) -> None:
        self._make_client = make_client

    def resume(self, task_token: str, result: Success | Failure) -> ReplyKind:
        """Give a waiter its result, in one call. Raises CannotResumeNow, CannotResume or OutputRefused, as in the table."""
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
                return ReplyKind.GONE
            if code == "InvalidOutput":
                raise OutputRefused(code) from None
            raise (CannotResume if code in _NEVER else CannotResumeNow)(code) from None
        except BotoCoreError as error:
            raise CannotResumeNow(type(error).__name__) from None
        return ReplyKind.RESUMED

    @cached_property
    def _client(self) -> TaskClient:
        return self._make_client()
