"""Try what runs on a schedule before CodeDeploy sends it traffic. While a canary lasts, it may not be invoked at all.

This text is the code of the function `BeforeTraffic` of a gradual deployment (`deploy.py`), so it needs nothing but boto3.
"""

import json
import os
from typing import Any

import boto3
from botocore.config import Config

PATIENCE = 300  # seconds, and with StartTimers less than this function's timeout: CodeDeploy would wait for an hour
TRY = b'{"command": "try"}'  # the doctor only reads its state: a run may take 900 s, and two hooks invoke it at once


def handler(event: dict[str, Any], _context: object) -> None:
    """Invoke the new versions, and let the deployment go on if none fails."""
    status = "Failed"
    try:
        if all(succeeds(version) for version in os.environ["VERSIONS"].split()):
            status = "Succeeded"
    finally:
        boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )


def succeeds(version: str) -> bool:
    once = Config(read_timeout=PATIENCE, retries={"total_max_attempts": 1})
    answer = boto3.client("lambda", config=once).invoke(FunctionName=version, Payload=TRY)
    error = answer.get("FunctionError")  # the version itself logs which
    print(json.dumps({"message": "before traffic", "version": version, "error": error}))
    return error is None
