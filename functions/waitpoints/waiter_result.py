"""What a waiting execution is given when its token has settled: the result of the state, or its error.

The result is what `wait.forToken()` gives in Trigger.dev's SDK (contract 3.1); with `unwrap` what its `.unwrap()` gives.
"""

import json
from dataclasses import dataclass

from waitpoints.token import Outcome, Status, Token, Waiter, iso

RESULT_LIMIT = 262_144  # bytes of UTF-8: Step Functions' limit for the output of a task
TIMEOUT_ERROR = "WaitpointTimeoutError"
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


def waiter_result(token: Token, outcome: Outcome, waiter: Waiter, bucket: str) -> Success | Failure:
    """The result for one waiter of a token that ended with `outcome`.

    A completed output that Step Functions could not carry is replaced by a reference to the object in `bucket`.
    """
    if outcome.status is Status.TIMED_OUT:
        message = _timeout_message(token)
        if waiter.unwrap:
            return Failure(TIMEOUT_ERROR, message)
        error = {"name": TIMEOUT_ERROR, "code": _TIMEOUT_CODE, "message": message}
        return Success(json.dumps({"ok": False, "error": error}))

    output = "null" if outcome.output.json is None else outcome.output.json
    result = Success(output if waiter.unwrap else f'{{"ok":true,"output":{output}}}')
    if outcome.output.stored_at is None or _fits(result):
        return result
    reference = {"bucket": bucket, "key": outcome.output.stored_at}
    return Success(json.dumps({"outputReference": reference} if waiter.unwrap else {"ok": True, "outputReference": reference}))


def timeout_output(token: Token) -> str:
    """The output that the API shows for a token that timed out (contract 1)."""
    return json.dumps({"code": _TIMEOUT_CODE, "message": _timeout_message(token)}, separators=(",", ":"))


def _timeout_message(token: Token) -> str:
    assert token.timeout_at is not None, "only a token with a timeout times out"
    return f"Waitpoint timed out at {iso(token.timeout_at)}"


def _fits(result: Success) -> bool:
    return len(result.json.encode()) <= RESULT_LIMIT
