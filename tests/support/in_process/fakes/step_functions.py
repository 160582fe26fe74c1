"""Step Functions' task tokens as on AWS and unlike moto: each accepts one answer and no second one.

the task token                          what AWS says
was never given out                     InvalidToken
waits                                   success
was answered, stopped or timed out      TaskTimedOut
and the output is no JSON, or too long  InvalidOutput, and the task waits on
"""

import base64
import json
import secrets
from typing import Any, ClassVar

from tests.support.in_process.fakes.waits import FakeWaits, refusal
from waitpoints.token import WaiterKind
from waitpoints.waiter_result import Failure, Success

OUTPUT_LIMIT = 262_144  # bytes of UTF-8
TASK_TOKEN_LIMIT, ERROR_LIMIT, CAUSE_LIMIT = 2048, 256, 32_768  # characters


class FakeStepFunctions(FakeWaits):
    """The part of boto3's Step Functions client that resumes tasks, and the executions behind it."""

    kind, member = WaiterKind.STEP_FUNCTIONS, "taskToken"
    refusals: ClassVar = {
        "throttled": refusal("ThrottlingException", "Rate exceeded"),
        "unavailable": refusal("ServiceUnavailable", "The service is unavailable. Please try again shortly.", 503),
        "denied": refusal("AccessDeniedException", "not authorized to perform: states:SendTaskSuccess"),
        "output refused": refusal("InvalidOutput", "Invalid Output: 'The output is not valid JSON'"),
    }

    def start(self) -> str:
        return self.start_task()

    def start_task(self, length: int = 712) -> str:
        """Begin a task that waits; its task token has the length and the alphabet of a real one, `+/=` among it."""
        task_token = "AQCEAAAAKgAAAAMAAAAAAAAAA+/" + base64.b64encode(secrets.token_bytes(length)).decode()
        return self._start(task_token[: length - 1] + "=")

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:
        return self._answer("SendTaskSuccess", taskToken, Success(output))

    def send_task_failure(self, *, taskToken: str, error: str = "", cause: str = "") -> dict[str, Any]:
        return self._answer("SendTaskFailure", taskToken, Failure(error, cause))

    def _check(self, operation: str, handle: str, result: Success | Failure) -> None:
        too_long = isinstance(result, Failure) and (len(result.error) > ERROR_LIMIT or len(result.cause) > CAUSE_LIMIT)
        if not 1 <= len(handle) <= TASK_TOKEN_LIMIT or too_long:
            raise refusal("ValidationException", "1 validation error detected")(operation)
        if handle not in self._results:
            raise refusal("InvalidToken", "Invalid Token: 'Invalid token'")(operation)
        if isinstance(result, Success) and not _is_output(result.json):
            raise refusal("InvalidOutput", "Invalid Output: 'Output is not valid JSON or is too long'")(operation)
        if self._is_closed(handle):
            raise refusal("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")(operation)


def _is_output(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return len(text.encode()) <= OUTPUT_LIMIT
