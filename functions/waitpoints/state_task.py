"""A Lambda that a state machine invokes, with or without a task token.

A refusal must reach the execution as the state's error, for `Retry` and `Catch`, under the name of its class. Without
a task token that Step Functions accepts, the invocation itself fails. With one (`lambda:invoke.waitForTaskToken`) the
refusal is reported through the task token and the invocation succeeds, because some Lambda integrations leave the state
waiting when the function fails. Errors that a retry may fix fail the invocation, which `Retry` sees too.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, assert_never

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from waitpoints import task_token, telemetry
from waitpoints.errors import InvalidRequest, TryAgain, WaitpointsError
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import Failure
from waitpoints.wiring import services

StateHandler = Callable[[dict[str, Any], LambdaContext], dict[str, Any] | None]


def state_task(work: Callable[[dict[str, Any]], dict[str, Any] | None]) -> StateHandler:
    """Make a Lambda handler of a function that works on a state's payload."""

    @wraps(work)
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
        with telemetry.canonical_line("state", requestId=context.aws_request_id, task=work.__module__):
            try:
                if not isinstance(event, dict):
                    raise InvalidRequest("The payload must be a JSON object")
                return work(event)
            except WaitpointsError as refusal:
                telemetry.note(refused=type(refusal).__name__)
                if not _is_told(event, refusal):
                    raise
                return None
            except (ClientError, BotoCoreError, GetParameterError) as error:
                telemetry.note(awsError=type(error).__name__)
                raise TryAgain("AWS throttled or failed; nothing was lost, the same may be tried again") from None

    return handler


def _is_told(event: Any, refusal: WaitpointsError) -> bool:
    """Whether the execution has learned the refusal through its task token. If not, the invocation itself must fail."""
    written = event.get("taskToken") if isinstance(event, dict) else None
    if not isinstance(written, str) or not task_token.is_plausible(written):
        return False
    failure = Failure(type(refusal).__name__, refusal.message)
    reply = services.step_functions.resume(written, failure)
    match reply:
        case ReplyKind.RESUMED:
            return True
        case ReplyKind.GONE:
            return False
    assert_never(reply)
