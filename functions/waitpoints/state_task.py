"""A Lambda that a state machine invokes, with or without a task token.

A refusal must reach the execution as the state's error, for `Retry` and `Catch`, under the name of its class. Without
a task token the invocation itself fails. With one (`lambda:invoke.waitForTaskToken`) the refusal is reported through
the task token and the invocation ends normally, since not everything that speaks the Lambda integration fails the
state when the function fails. What may succeed when it is tried again fails the invocation, which `Retry` sees too.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from waitpoints import telemetry
from waitpoints.errors import InvalidRequest, TryAgain, WaitpointsError
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
                task_token = event.get("taskToken") if isinstance(event, dict) else None
                telemetry.note(refused=type(refusal).__name__)
                if not isinstance(task_token, str) or not task_token:
                    raise
                failure = Failure(type(refusal).__name__, refusal.message)
                services.step_functions.resume(task_token, failure)
                return None
            except (ClientError, BotoCoreError, GetParameterError) as error:
                telemetry.note(awsError=type(error).__name__)
                raise TryAgain("AWS throttled or failed; nothing was lost, the same may be tried again") from None

    return handler
