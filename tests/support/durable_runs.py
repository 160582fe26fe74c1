"""A durable function that waits for a token, run in this process by AWS's own test runner for durable functions."""

import json
import uuid
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.lambda_service import ErrorObject as RunnersError
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.exceptions import ClientError

from tests.support.in_process.api_gateway import Token
from tests.support.in_process.moto_stack import client_of
from tests.support.patience import PATIENCE
from waitpoints.aws.services.durable_functions import ErrorObject

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST/durable-execution/"


class RunnerCallbacks:
    """The part of boto3's Lambda client that ends callbacks, on the runner.

    The runner answers ResourceNotFoundException where AWS answers CallbackTimeoutException: for a callback that is closed.
    """

    def __init__(self, runner: DurableFunctionTestRunner) -> None:
        self._runner = runner

    def send_durable_execution_callback_success(self, *, CallbackId: str, Result: bytes) -> None:
        self._answer("SendDurableExecutionCallbackSuccess", lambda: self._runner.send_callback_success(CallbackId, Result))

    def send_durable_execution_callback_failure(self, *, CallbackId: str, Error: ErrorObject) -> None:
        error = RunnersError.from_dict(dict(Error))
        self._answer("SendDurableExecutionCallbackFailure", lambda: self._runner.send_callback_failure(CallbackId, error))

    def _answer(self, operation: str, send: Any) -> None:
        try:
            send()
        except Exception as error:
            raise ClientError({"Error": {"Code": "CallbackTimeoutException", "Message": str(error)}}, operation) from None


@durable_execution
def wait_for_webhook(event: Any, context: DurableContext) -> dict[str, Any]:
    """Does what wait_for_webhook.asl.json does, and says how it ended. The event's other members are options."""
    token, execution = event.pop("token"), ARN + context.execution_context.durable_execution_arn  # the runner's is no ARN

    def register(callback_id: str, _: Any) -> None:
        payload = {"waitpointId": token["id"], "callbackId": callback_id, "execution": execution, **event}
        answer = client_of("lambda").invoke(FunctionName="WaitForToken", Payload=json.dumps(payload))
        if "FunctionError" in answer:
            raise RuntimeError(answer["Payload"].read().decode())

    try:
        reply = json.loads(context.wait_for_callback(register, name="token"))
    except CallbackError as error:
        return {"failed": [json.loads(error.data or "{}").get("name"), error.message], "data": error.data}
    if event:  # with options, all that it was given
        return {"output": reply}
    if not reply["ok"]:
        return {"failed": [reply["error"]["name"], reply["error"]["message"]]}
    return {"output": reply["outputReference"] if "outputReference" in reply else reply["output"]}


class DurableRuns:
    """Executions of a durable function that waits for a token."""

    def __init__(self) -> None:
        self.runner = DurableFunctionTestRunner(handler=wait_for_webhook, poll_interval=0.01)
        self.client = RunnerCallbacks(self.runner)

    def wait(self, token: Token, **options: bool) -> str:
        """Start an execution that waits for a token, and return its ARN."""
        given = json.dumps({"token": {"id": token["id"]}, **options})
        return ARN + self.runner.run_async(input=given, function_name="orders", execution_name=uuid.uuid4().hex)

    def result(self, execution: str) -> tuple[str, Any]:
        """Wait until an execution ends. Returns its status, and its output or its error and cause."""
        found = self.returned(execution)
        return ("FAILED", tuple(found["failed"])) if "failed" in found else ("SUCCEEDED", found["output"])

    def returned(self, execution: str) -> Any:
        """What the function has returned of its end."""
        ended = self.runner.wait_for_result(execution.removeprefix(ARN), PATIENCE)
        assert ended.result is not None, ended.error
        return json.loads(ended.result)

    def resumed(self, execution: str) -> int:
        """How often the execution's wait was given a result."""
        history = self.runner.get_execution_history(execution.removeprefix(ARN)).events
        return [event.event_type for event in history].count("CallbackSucceeded")
