"""A durable function that waits for the token of its input, and returns how large the output is, and its hash."""

import hashlib
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from waitpoints_client.durable import wait_for_token


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    output = str(wait_for_token(context, event["token"], unwrap=True))
    return {"characters": len(output), "sha256": hashlib.sha256(output.encode()).hexdigest()}
