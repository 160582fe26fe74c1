"""What accept_callback is measured against: settle a token and resume its waiter with boto3 alone, and nothing else."""

import base64
import json
import time
from typing import Any

import boto3
from botocore.config import Config

config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
dynamodb = boto3.client("dynamodb", config=config)
secrets_manager = boto3.client("secretsmanager", config=config)
step_functions = boto3.client("stepfunctions", config=config)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One conditional update and SendTaskSuccess."""
    _resume(event["pathParameters"]["waitpointId"], event["body"])
    return {"statusCode": 200, "body": '{"success":true}'}


def same_calls(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """What accept_callback asks of AWS on its first request: the signing key too, and the reply is recorded."""
    secrets_manager.get_secret_value(SecretId="key")
    token_id = event["pathParameters"]["waitpointId"]
    _resume(token_id, event["body"])
    dynamodb.update_item(
        TableName="tokens",
        Key={"id": {"S": token_id}, "item": {"S": "replies"}},
        UpdateExpression="SET reply = :reply",
        ExpressionAttributeValues={":reply": {"S": "RESUMED"}},
    )
    return {"statusCode": 200, "body": '{"success":true}'}


def _resume(token_id: str, output: str) -> None:
    json.loads(output)
    settled = dynamodb.update_item(
        TableName="tokens",
        Key={"id": {"S": token_id}, "item": {"S": "token"}},
        UpdateExpression="SET #status = :completed, completedAt = :now, #output = :output",
        ConditionExpression="#status = :waiting",
        ExpressionAttributeNames={"#status": "status", "#output": "output"},
        ExpressionAttributeValues={
            ":waiting": {"S": "WAITING"},
            ":completed": {"S": "COMPLETED"},
            ":now": {"N": str(time.time_ns() // 1_000_000)},
            ":output": {"S": output},
        },
        ReturnValues="ALL_NEW",
    )
    for waiter in settled["Attributes"]["waiters"]["M"].values():
        task_token = base64.b64encode(waiter["M"]["handle"]["B"]).decode()
        step_functions.send_task_success(taskToken=task_token, output=f'{{"ok":true,"output":{output}}}')
