"""Lambda handlers that a state machine or a durable function invokes, with or without a task token or a callback id.

A rejected request must fail the state with an error named after its exception, which `Retry` and `Catch` can match.
With a task token (`lambda:invoke.waitForTaskToken`), the handler reports the error through the task token and succeeds,
because some Lambda integrations leave the state waiting when the function fails. To a durable function it reports the error
through its callback. Without a task token or a callback id that AWS accepts, the invocation fails. It also fails on errors
that a retry may fix; the `Retry` of the state or of the step sees those too.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import handles, telemetry
from waitpoints.aws.failures import AWS_FAILURES, try_again
from waitpoints.errors import CannotResume, InvalidRequest, WaitpointsError
from waitpoints.resumer import service_of
from waitpoints.token import ReplyKind, WaiterKind
from waitpoints.waiter_result import Failure
from waitpoints.wiring import services

StateHandler = Callable[[dict[str, Any], LambdaContext], dict[str, Any] | None]


def state_task(work: Callable[[dict[str, Any]], dict[str, Any] | None]) -> StateHandler:
    """Decorate a function that takes a state's payload as a Lambda handler."""

    @wraps(work)
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
        with telemetry.canonical_line("state", requestId=context.aws_request_id, task=work.__module__):
            try:
                if not isinstance(event, dict):
                    raise InvalidRequest("The payload must be a JSON object")
                return work(event)
            except WaitpointsError as refusal:
                telemetry.note(refused=type(refusal).__name__)
                if not _report(event, refusal):
                    raise
                return None
            except AWS_FAILURES as error:
                raise try_again(error, "retry the state") from None

    return handler


def _report(event: Any, refusal: WaitpointsError) -> bool:
    """Report the error to what waits with this payload. Returns False if that is impossible: the invocation must fail.

    Raises CannotResumeNow if a retry of the invocation may report it.
    """
    failure, payload = Failure(type(refusal).__name__, refusal.message), event if isinstance(event, dict) else {}
    waiting = []  # whatever else is wrong with the payload
    if handles.is_task_token(payload.get("taskToken")):
        waiting.append((WaiterKind.STEP_FUNCTIONS, payload["taskToken"]))
    if handles.is_callback_id(payload.get("callbackId")):
        waiting.append((WaiterKind.DURABLE_FUNCTION, payload["callbackId"]))
    try:
        replies = [service_of(kind, services).resume(handle, failure) for kind, handle in waiting]
    except CannotResume as reason:
        telemetry.note(notReported=str(reason))
        return False
    return bool(replies) and all(reply is ReplyKind.RESUMED for reply in replies)
