"""Resume a Lambda durable function through its callback, and classify the response.

    response                                      meaning                   what follows
    success                                       the function continues    recorded as RESUMED
    CallbackTimeoutException,                     the waiter is gone        recorded as GONE, never retried
    ResourceNotFoundException
    InvalidParameterValueException for a result   the result is rejected    OutputRefused: a reference, or the waiter fails
    the same for a failure, AccessDenied, an      retrying won't fix it     CannotResume: dead letter, waiter kept
    unusable KMS key, a boto3 that is too old
    throttling, 5xx, no response                  may work later            CannotResumeNow: retried

AWS returns CallbackTimeoutException both for a callback that is closed and for one that has expired, so GONE can mean either.
InvalidParameterValueException names no parameter: if a failure without a result gets it too, the callback id is wrong.
"""

import json
from collections.abc import Callable
from functools import cached_property
from typing import Protocol, TypedDict, assert_never

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints.aws.error_codes import classified, error_name
from waitpoints.errors import CannotResume, CannotResumeNow, OutputRefused
from waitpoints.json_text import present
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import Failure, Success

_GONE = {"CallbackTimeoutException", "ResourceNotFoundException"}
_INVALID = "InvalidParameterValueException"
_FAILURES: dict[type[Exception], set[str]] = {
    CannotResume: {
        _INVALID,
        "AccessDenied",
        "AccessDeniedException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
    },
}


class ErrorObject(TypedDict):
    """Lambda's shape of an error. Python's SDK shows the function `ErrorMessage` and `ErrorData`."""

    ErrorType: str
    ErrorMessage: str
    ErrorData: str


class CallbackClient(Protocol):
    """The part of boto3's Lambda client that ends a callback. Clients before boto3 1.42.1 lack it."""

    def send_durable_execution_callback_success(self, *, CallbackId: str, Result: bytes) -> object: ...

    def send_durable_execution_callback_failure(self, *, CallbackId: str, Error: ErrorObject) -> object: ...


class DurableFunctions:
    """Most stacks resume none, so the first request that does creates the client."""

    def __init__(self, make_client: Callable[[], CallbackClient]) -> None:
        self._make_client = make_client

    def resume(self, handle: str, result: Success | Failure) -> ReplyKind:
        """Send the waiter with this callback id its result in one call. Raises as in the table above."""
        try:
            if not self.can_resume:
                raise CannotResume("Boto3TooOld")
            match result:
                case Success(text):
                    self._client.send_durable_execution_callback_success(CallbackId=handle, Result=text.encode())
                case Failure():
                    self._client.send_durable_execution_callback_failure(CallbackId=handle, Error=_error_object(result))
                case _:
                    assert_never(result)
        except (ClientError, BotoCoreError) as error:
            name = error_name(error)
            if name in _GONE:
                return ReplyKind.GONE
            if name == _INVALID and isinstance(result, Success):
                raise OutputRefused(name) from None
            raise classified(name, _FAILURES, CannotResumeNow) from None
        return ReplyKind.RESUMED

    @cached_property
    def can_resume(self) -> bool:
        """Whether boto3 knows callbacks. The Lambda runtime has a boto3 of its own, which AWS updates."""
        return hasattr(self._client, "send_durable_execution_callback_success")

    @cached_property
    def _client(self) -> CallbackClient:
        return self._make_client()


def _error_object(failure: Failure) -> ErrorObject:
    members = {"name": failure.error, "code": failure.code, "message": failure.cause}
    return {"ErrorType": failure.error, "ErrorMessage": failure.cause, "ErrorData": json.dumps(present(members))}
