"""Only SendTaskSuccess: the caller knows the task token."""

from typing import Any

import boto3

step_functions = boto3.client("stepfunctions")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    print("send")
    task_token = event["queryStringParameters"]["token"]
    step_functions.send_task_success(taskToken=task_token, output=f'{{"ok":true,"output":{event["body"]}}}')
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": '{"success": true}'}
