"""A durable function that invokes the wait function by itself, without the client, as docs/durable.md says.

The input is `{"payload": what is sent beside the callback id, "answersLost": how many answers to lose}`.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import boto3
from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.retries import LinearRetryStrategyConfig, create_linear_retry_strategy


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> Any:
    lost = event.get("answersLost", 0)

    def register(callback_id: str, _: Any) -> None:
        payload = {"callbackId": callback_id, **event["payload"]}
        answer = boto3.client("lambda").invoke(FunctionName=os.environ["WAITPOINTS_WAIT_FUNCTION"], Payload=json.dumps(payload))
        if "FunctionError" in answer:
            raise RuntimeError(answer["Payload"].read().decode())
        if attempt(callback_id) <= lost:
            raise ConnectionError("The answer is lost")

    attempts = LinearRetryStrategyConfig(max_attempts=1 + lost, initial_delay=Duration.from_seconds(1))
    try:
        config = WaitForCallbackConfig(retry_strategy=create_linear_retry_strategy(attempts))
        return json.loads(context.wait_for_callback(register, config=config))
    except CallbackError as error:
        return {"raised": type(error).__name__, "message": error.message, "data": error.data}


def attempt(callback_id: str) -> int:
    """The number of this attempt, which may run in another process than the one before."""
    marks = Path(tempfile.gettempdir()) / hashlib.sha256(callback_id.encode()).hexdigest()
    with marks.open("a+") as file:
        file.write("x")
        return file.tell()
