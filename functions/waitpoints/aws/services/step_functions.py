"""Resume a waiter through Step Functions, and classify the response.

    response                                      meaning                   what follows
    success                                       the execution continues   recorded as RESUMED
    TaskTimedOut, TaskDoesNotExist                the waiter is gone        recorded as GONE, never retried
    InvalidOutput                                 the output is rejected    OutputRefused: the waiter fails instead
    InvalidToken, AccessDenied, an unusable       retrying won't fix it     CannotResume: dead letter, waiter kept
    KMS key
    throttling, 5xx, no response                  may work later            CannotResumeNow: retried

AWS returns TaskTimedOut both for a used task token and for an expired one, so GONE can mean either. InvalidToken is
different: Step Functions never issued the task token, or issued it in another account or region. The execution would
wait unnoticed, so an operator must see this failure.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Protocol, assert_never

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints.aws.error_codes import classified, error_name
from waitpoints.errors import CannotResume, CannotResumeNow, OutputRefused
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import Failure, Success

_GONE = {"TaskTimedOut", "TaskDoesNotExist"}
_FAILURES: dict[type[Exception], set[str]] = {
    OutputRefused: {"InvalidOutput"},
    CannotResume: {
        "InvalidToken",
        "AccessDenied",
        "AccessDeniedException",
        "ValidationException",
        "KmsAccessDeniedException",
        "KmsInvalidStateException",
    },
}


class TaskClient(Protocol):
    """The part of boto3's Step Functions client that ends a task."""

    def send_task_success(self, *, taskToken: str, output: str) -> object: ...

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> object: ...


class StepFunctions:
    """Most requests resume no waiter, so the first one that does creates the client."""

    def __init__(self, make_client: Callable[[], TaskClient]) -> None:
        self._make_client = make_client

    def resume(self, handle: str, result: Success | Failure) -> ReplyKind:
        """Send the waiter with this task token its result in one call. Raises as in the table above."""
        try:
            match result:
                case Success(json):
                    self._client.send_task_success(taskToken=handle, output=json)
                case Failure(error, cause):
                    self._client.send_task_failure(taskToken=handle, error=error, cause=cause)
                case _:
                    assert_never(result)
        except (ClientError, BotoCoreError) as error:
            name = error_name(error)
            if name in _GONE:
                return ReplyKind.GONE
            raise classified(name, _FAILURES, CannotResumeNow) from None
        return ReplyKind.RESUMED

    @cached_property
    def _client(self) -> TaskClient:
        return self._make_client()
