"""The state's result or error that a waiting execution gets when its token settles.

The result is what `wait.forToken()` returns in Trigger.dev's SDK; with `unwrap`, what `.unwrap()` returns.
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
    """The state succeeds with this JSON text as its result."""

    json: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The state fails with this error, which `Retry` and `Catch` see."""

    error: str
    cause: str


OUTPUT_REFUSED = Failure(REFUSED_ERROR, "Step Functions rejected the output of the waitpoint. Retrieve the token to read it")
"""Fail the waiter with this error if Step Functions rejects its result. `Catch` can match it."""


def waiter_result(outcome: Outcome, waiter: Waiter, bucket: str) -> Success | Failure:
    """Return the result for one waiter. The output in `outcome` must be loaded.

    An output that is too large for Step Functions becomes a reference to the object in `bucket`.
    """
    match outcome:
        case TimedOut(at):
            return _timeout_result(at, waiter)
        case Completed(_, output):
            return _output_result(output, waiter, bucket)
    assert_never(outcome)


def timeout_output(timed_out: TimedOut) -> str:
    """Return the output that the API returns for a timed-out token, as JSON text."""
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
