"""Settle a wait once and resume it, and record the reply, so that `ensure` finds a run that was not resumed."""

import os
from typing import Any

import boto3

dynamodb, step_functions = boto3.client("dynamodb"), boto3.client("stepfunctions")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    print("settle")
    wait_id = event["pathParameters"]["id"]
    answer = dynamodb.update_item(
        TableName=os.environ["TABLE_NAME"],
        Key={"id": {"S": wait_id}},
        UpdateExpression="SET #status = :completed, #output = :output",
        ConditionExpression="#status = :waiting",
        ExpressionAttributeNames={"#status": "status", "#output": "output"},
        ExpressionAttributeValues={
            ":waiting": {"S": "WAITING"},
            ":completed": {"S": "COMPLETED"},
            ":output": {"S": event["body"]},
        },
        ReturnValues="ALL_NEW",
    )
    task_token = answer["Attributes"]["taskToken"]["S"]
    step_functions.send_task_success(taskToken=task_token, output=f'{{"ok":true,"output":{event["body"]}}}')
    dynamodb.update_item(
        TableName=os.environ["TABLE_NAME"],
        Key={"id": {"S": f"{wait_id}#reply"}},
        UpdateExpression="SET reply = :reply",
        ExpressionAttributeValues={":reply": {"S": "RESUMED"}},
    )
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": '{"success": true}'}
