"""Build the result or error that a waiting execution gets when its token settles.

The result is what `wait.forToken()` returns in Trigger.dev's SDK; with `unwrap`, what `.unwrap()` returns.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from waitpoints.json_text import object_of, present
from waitpoints.token import (
    Completed,
    CompletedBy,
    Failed,
    Outcome,
    Output,
    Source,
    TimedOut,
    Token,
    TokenError,
    Waiter,
    WaiterKind,
    iso,
)

RESULT_LIMITS = {WaiterKind.STEP_FUNCTIONS: 262_144, WaiterKind.DURABLE_FUNCTION: 1_048_576}
"""Bytes of UTF-8: what Step Functions accepts as a task's output, and Lambda as a callback's result."""
TIMEOUT_ERROR = "WaitpointTimeoutError"
REFUSED_ERROR = "WaitpointOutputRefused"
DELETED_ERROR = "WaitpointDeletedError"
_TIMEOUT_CODE = "TRIGGER_WAITPOINT_TIMEOUT"


@dataclass(frozen=True, slots=True)
class Success:
    """The wait succeeds with this JSON text as its result."""

    json: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The wait fails with this error. A state's `Retry` and `Catch` see it, without its code."""

    error: str
    cause: str
    code: str | None = None


OUTPUT_REFUSED = Failure(REFUSED_ERROR, "AWS rejected the output of the waitpoint. Retrieve the token to read it")
"""Fail the waiter with this error if AWS rejects its result. `Catch` can match it."""


def waiter_results(token: Token, waiter: Waiter, bucket: str) -> list[Success | Failure]:
    """Return what to send one waiter of a settled token: each only if AWS rejects the one before. Its output must be loaded.

    Lambda's service model has 1 MiB for a callback's result, and its API reference 256 KB. So what is stored is referred to.
    """
    first, outcome = waiter_result(token, waiter, bucket), _outcome(token)
    if waiter.kind is not WaiterKind.DURABLE_FUNCTION or not isinstance(outcome, Completed) or not outcome.output.stored_at:
        return [first]
    reference = _reference(outcome.output.stored_at, waiter, bucket, _context(token) if waiter.context else {})
    return [first] if first == reference else [first, reference]


def waiter_result(token: Token, waiter: Waiter, bucket: str) -> Success | Failure:
    """Return the result of a settled token for one waiter. Its output must be loaded.

    An output that is too large for AWS becomes a reference to the object in `bucket`.
    """
    outcome, context = _outcome(token), _context(token) if waiter.context else {}
    match outcome:
        case TimedOut() | Failed():
            error = outcome_error(outcome)
            if waiter.unwrap:
                return Failure(error.name, error.message, error.code)
            answers = {}
            if token.rules and token.rules.has_approvers:  # what they had answered before it ended without a decision
                from waitpoints.approvers import answers_text, hand_overs_text

                answers = {"answers": answers_text(token.answers), **hand_overs_text(token.hand_overs)}
            return _result("false", {"error": json.dumps(error.members()), **answers, **context})
        case Completed(_, output):
            return _output_result(output, waiter, bucket, context)
    assert_never(outcome)


def outcome_error(outcome: Failed | TimedOut) -> TokenError:
    match outcome:
        case Failed(_, error):
            return error
        case TimedOut(at):
            return TokenError(f"Waitpoint timed out at {iso(at)}", TIMEOUT_ERROR, _TIMEOUT_CODE)
    assert_never(outcome)


def error_output(outcome: Failed | TimedOut) -> str:
    """Return the output that the API shows for a failed or timed-out token. The SDK reads its `message`."""
    members = outcome_error(outcome).members()
    if isinstance(outcome, TimedOut):
        del members["name"]  # as in Trigger.dev
    return json.dumps(members, separators=(",", ":"))


def completed_by(token: Token) -> dict[str, Any]:
    """Return how and from where a token was settled, as shown in the API and in results.

    `override`: an API key completed it in place of its approvers. `signedIn`: as whom the approver had signed in.
    """
    outcome = _outcome(token)
    match outcome:
        case TimedOut(at):
            by = CompletedBy(source=Source.TIMEOUT)
        case Completed(at, _, found) | Failed(at, _, found):
            by = found or CompletedBy(source=Source.COMPLETE)
        case _:
            assert_never(outcome)
    by_approvers = token.rules is not None and token.rules.has_approvers
    shown = {"source": by.source, "at": iso(at), **by.members()}
    if by_approvers and by.source is Source.COMPLETE:
        shown["override"] = True
    answer = token.answer_of(by.approver) if by.approver is not None else None
    if answer and answer.signed_in:
        from waitpoints.approvers import signed_in_member

        shown |= signed_in_member(answer.signed_in)
    return shown


def _outcome(token: Token) -> Outcome:
    assert token.outcome is not None, "only a settled token has a result"
    return token.outcome


def _output_result(output: Output, waiter: Waiter, bucket: str, context: Mapping[str, str]) -> Success:
    text = "null" if output.json is None else output.json
    result = Success(text) if waiter.unwrap else _result("true", {"output": text, **context})
    if output.stored_at is None or len(result.json.encode()) <= RESULT_LIMITS[waiter.kind]:
        return result
    return _reference(output.stored_at, waiter, bucket, context)


def _reference(key: str, waiter: Waiter, bucket: str, context: Mapping[str, str]) -> Success:
    reference = {"outputReference": json.dumps({"bucket": bucket, "key": key})}
    return Success(object_of(reference)) if waiter.unwrap else _result("true", {**reference, **context})


def _context(token: Token) -> dict[str, str]:
    """Return what a waiter with `context` gets as well, after the output or the error."""
    created_by = None if token.created_by is None else json.dumps(token.created_by)
    traceparent = None if token.traceparent is None else json.dumps(token.traceparent)
    of_create = {"traceparent": traceparent, "metadata": token.metadata, "createdBy": created_by}
    return {"completedBy": json.dumps(completed_by(token)), **present(of_create)}


def _result(ok: str, members: Mapping[str, str]) -> Success:
    return Success(object_of({"ok": ok, **members}))
