"""The least that settles a wait once and resumes it: one conditional update, and SendTaskSuccess.

With the variable RECORDS, it also records the reply with one more update, so that `ensure` finds a run that was not resumed.
"""

import os
from typing import Any

import boto3

dynamodb, step_functions = boto3.client("dynamodb"), boto3.client("stepfunctions")


RECORDS = os.environ.get("RECORDS", "no")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    print("update and send")
    answer = dynamodb.update_item(
        TableName=os.environ["TABLE_NAME"],
        Key={"id": {"S": event["pathParameters"]["id"]}},
        UpdateExpression="SET #status = :completed, #output = :output, ensured = :ensured",
        ConditionExpression="#status = :waiting",
        ExpressionAttributeNames={"#status": "status", "#output": "output"},
        ExpressionAttributeValues={
            ":waiting": {"S": "WAITING"},
            ":completed": {"S": "COMPLETED"},
            ":output": {"S": event["body"]},
            ":ensured": {"S": RECORDS},
        },
        ReturnValues="ALL_NEW",
    )
    task_token = answer["Attributes"]["taskToken"]["S"]
    step_functions.send_task_success(taskToken=task_token, output=f'{{"ok":true,"output":{event["body"]}}}')
    if RECORDS == "yes":
        dynamodb.update_item(
            TableName=os.environ["TABLE_NAME"],
            Key={"id": {"S": f"{event['pathParameters']['id']}#reply"}},
            UpdateExpression="SET answer = :answer",
            ExpressionAttributeValues={":answer": {"S": "RESUMED"}},
        )
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": '{"success": true}'}
