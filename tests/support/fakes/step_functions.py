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
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError

from waitpoints.waiter_result import Failure, Success

OUTPUT_LIMIT = 262_144  # bytes of UTF-8
TASK_TOKEN_LIMIT, ERROR_LIMIT, CAUSE_LIMIT = 2048, 256, 32_768  # characters


@dataclass(frozen=True)
class Fault:
    """How a call fails. One that `takes_effect` resumes the waiter, but its answer is lost."""

    error: Callable[[str], Exception]
    takes_effect: bool = False


def _refusal(code: str, message: str, status: int = 400) -> Callable[[str], Exception]:
    def error(operation: str) -> Exception:
        response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return ClientError(response, operation)

    return error


def _connection_closed(operation: str) -> Exception:
    return ConnectionClosedError(endpoint_url="https://states.us-east-1.amazonaws.com/")


THROTTLED = Fault(_refusal("ThrottlingException", "Rate exceeded"))
UNAVAILABLE = Fault(_refusal("ServiceUnavailable", "The service is unavailable. Please try again shortly.", 503))
DENIED = Fault(_refusal("AccessDeniedException", "not authorized to perform: states:SendTaskSuccess"))
OUTPUT_REFUSED = Fault(_refusal("InvalidOutput", "Invalid Output: 'The output is not valid JSON'"))
UNREACHABLE = Fault(_connection_closed)
LOST_RESPONSE = Fault(_connection_closed, takes_effect=True)


class FakeStepFunctions:
    """The part of boto3's Step Functions client that resumes tasks, and the executions behind it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[str, Success | Failure | None] = {}
        self._closed: set[str] = set()
        self._faults: list[tuple[Fault, str | None]] = []
        self.calls: Counter[str] = Counter()
        """How often each task token was answered, successfully or not."""

    def start_task(self, length: int = 712) -> str:
        """Begin a task that waits; its task token has the length and the alphabet of a real one, `+/=` among it."""
        task_token = "AQCEAAAAKgAAAAMAAAAAAAAAA+/" + base64.b64encode(secrets.token_bytes(length)).decode()
        task_token = task_token[: length - 1] + "="
        self._results[task_token] = None
        return task_token

    def stop(self, task_token: str) -> None:
        """End a task from elsewhere: its execution was stopped, or its state timed out."""
        self._closed.add(task_token)

    def fail_next(self, fault: Fault, times: int = 1, task_token: str | None = None) -> None:
        """Make the next calls fail; if `task_token` is given, only those for that task."""
        self._faults += [(fault, task_token)] * times

    def fail_no_more(self) -> None:
        """End all failures."""
        self._faults.clear()

    def result(self, task_token: str) -> Success | Failure | None:
        """The result of a task, or None while it waits."""
        return self._results[task_token]

    def results(self) -> dict[str, Success | Failure | None]:
        """The result of every task so far."""
        return dict(self._results)

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:
        return self._answer("SendTaskSuccess", taskToken, Success(output))

    def send_task_failure(self, *, taskToken: str, error: str = "", cause: str = "") -> dict[str, Any]:
        return self._answer("SendTaskFailure", taskToken, Failure(error, cause))

    def _answer(self, operation: str, task_token: str, result: Success | Failure) -> dict[str, Any]:
        with self._lock:
            self.calls[task_token] += 1
            fault = self._next_fault(task_token)
            if fault is None or fault.takes_effect:
                self._resume(operation, task_token, result)
            if fault:
                raise fault.error(operation)
        return {}

    def _next_fault(self, task_token: str) -> Fault | None:
        for place, (fault, only_for) in enumerate(self._faults):
            if only_for in (None, task_token):
                del self._faults[place]
                return fault
        return None

    def _resume(self, operation: str, task_token: str, result: Success | Failure) -> None:
        too_long = isinstance(result, Failure) and (len(result.error) > ERROR_LIMIT or len(result.cause) > CAUSE_LIMIT)
        if not 1 <= len(task_token) <= TASK_TOKEN_LIMIT or too_long:
            raise _refusal("ValidationException", "1 validation error detected")(operation)
        if task_token not in self._results:
            raise _refusal("InvalidToken", "Invalid Token: 'Invalid token'")(operation)
        if isinstance(result, Success) and not _is_output(result.json):
            raise _refusal("InvalidOutput", "Invalid Output: 'Output is not valid JSON or is too long'")(operation)
        if self._results[task_token] is not None or task_token in self._closed:
            raise _refusal("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")(operation)
        self._results[task_token] = result


def _is_output(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return len(text.encode()) <= OUTPUT_LIMIT
