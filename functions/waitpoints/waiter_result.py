"""What a waiting execution gets when its token has settled: the state's result, or its error.

The result is what `wait.forToken()` returns in Trigger.dev's SDK; with `unwrap`, what its `.unwrap()` returns.
"""

import json
from dataclasses import dataclass
from typing import assert_never

from waitpoints.token import Completed, Outcome, Output, TimedOut, Waiter, iso

RESULT_LIMIT = 262_144  # bytes of UTF-8: Step Functions' limit for the output of a task
TIMEOUT_ERROR = "WaitpointTimeoutError"
REFUSED_ERROR = "WaitpointOutputRefused"
_TIMEOUT_CODE = "TRIGGER_WAITPOINT_TIMEOUT"


@dataclass(frozen=True, slots=True)
class Success:
    """The state goes on with this JSON text as its result."""

    json: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The state fails with this error, which `Retry` and `Catch` see."""

    error: str
    cause: str


OUTPUT_REFUSED = Failure(REFUSED_ERROR, "Step Functions refused the output of the waitpoint; retrieve the token to read it")
"""What a waiter gets when Step Functions does not accept its result: a named error, which `Catch` sees."""


def waiter_result(outcome: Outcome, waiter: Waiter, bucket: str) -> Success | Failure:
    """The result for one waiter of a token that ended with `outcome`, whose output has been loaded.

    An output that is too large for Step Functions is replaced by a reference to the object in `bucket`.
    """
    match outcome:
        case TimedOut(at):
            return _timeout_result(at, waiter)
        case Completed(_, output):
            return _output_result(output, waiter, bucket)
    assert_never(outcome)


def timeout_output(timed_out: TimedOut) -> str:
    """The output that the API shows for a token that timed out."""
    error = {"code": _TIMEOUT_CODE, "message": _timeout_message(timed_out.at)}
    return json.dumps(error, separators=(",", ":"))


def _timeout_result(at: int, waiter: Waiter) -> Success | Failure:
    message = _timeout_message(at)
    if waiter.unwrap:
        return Failure(TIMEOUT_ERROR, message)
    error = {"name": TIMEOUT_ERROR, "code": _TIMEOUT_CODE, "message": message}
    return Success(json.dumps({"ok": False, "error": error}))


def _output_result(output: Output, waiter: Waiter, bucket: str) -> Success:
    text = "null" if output.json is None else output.json
    result = Success(text if waiter.unwrap else f'{{"ok":true,"output":{text}}}')
    if output.stored_at is None or _fits(result):
        return result
    reference = {"bucket": bucket, "key": output.stored_at}
    return Success(json.dumps({"outputReference": reference} if waiter.unwrap else {"ok": True, "outputReference": reference}))


def _timeout_message(at: int) -> str:
    return f"Waitpoint timed out at {iso(at)}"


def _fits(result: Success) -> bool:
    return len(result.json.encode()) <= RESULT_LIMIT
