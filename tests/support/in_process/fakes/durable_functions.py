"""The callbacks of Lambda durable functions as on AWS: each accepts one answer and no second one.

the callback id                         what AWS says
is no callback id                       InvalidParameterValueException
was never given out                     ResourceNotFoundException
waits                                   success
was answered, stopped or timed out      CallbackTimeoutException
and the result is over 1 MiB            InvalidParameterValueException, and the callback waits on

Lambda's service model and https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html
"""

import base64
import json
import re
import secrets
from typing import Any, ClassVar

from tests.support.in_process.fakes.waits import FakeWaits, refusal
from waitpoints.aws.services.durable_functions import ErrorObject
from waitpoints.token import WaiterKind
from waitpoints.waiter_result import Failure, Success

OUTPUT_LIMIT = 1_048_576  # bytes of UTF-8
_INVALID = "InvalidParameterValueException"


class FakeDurableFunctions(FakeWaits):
    """The part of boto3's Lambda client that ends callbacks, and the durable functions behind it."""

    kind, member = WaiterKind.DURABLE_FUNCTION, "callbackId"
    refusals: ClassVar = {
        "throttled": refusal("TooManyRequestsException", "Rate exceeded", 429),
        "unavailable": refusal("ServiceException", "An internal error occurred", 500),
        "denied": refusal("AccessDeniedException", "not authorized: lambda:SendDurableExecutionCallbackSuccess", 403),
        "output refused": refusal(_INVALID, "One of the parameters in the request is not valid"),
    }

    def start(self) -> str:
        return self.start_callback()

    def start_callback(self, length: int = 200) -> str:
        """Begin a callback that waits. Its id has the alphabet of a real one, `+/=` among it; `length` is a multiple of 4."""
        raw = base64.b64decode("Ab9+/+/+") + secrets.token_bytes(length)
        return self._start(base64.b64encode(raw[: length * 3 // 4 - 1]).decode())

    def send_durable_execution_callback_success(self, *, CallbackId: str, Result: bytes) -> dict[str, Any]:
        return self._answer("SendDurableExecutionCallbackSuccess", CallbackId, Success(Result.decode()))

    def send_durable_execution_callback_failure(self, *, CallbackId: str, Error: ErrorObject) -> dict[str, Any]:
        failure = Failure(Error["ErrorType"], Error["ErrorMessage"], json.loads(Error["ErrorData"]).get("code"))
        return self._answer("SendDurableExecutionCallbackFailure", CallbackId, failure)

    def _check(self, operation: str, handle: str, result: Success | Failure) -> None:
        if not re.fullmatch("[A-Za-z0-9+/]+={0,2}", handle) or len(handle) > 1024:
            raise refusal(_INVALID, f"1 validation error detected: {len(handle)}")(operation)
        if handle not in self._results:
            raise refusal("ResourceNotFoundException", "The resource does not exist", 404)(operation)
        if isinstance(result, Success) and len(result.json.encode()) > OUTPUT_LIMIT:
            raise refusal(_INVALID, "The result is too large")(operation)
        if self._is_closed(handle):
            raise refusal("CallbackTimeoutException", "The callback has already been closed")(operation)
