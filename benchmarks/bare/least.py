"""The least that keeps the guarantee: what `benchmarks/latency.py` compares the stack with.

`settle` settles a wait once, resumes it and records the reply, so that `ensure` finds a run that was not resumed.
"""

import os
from typing import Any

import boto3

dynamodb, step_functions = boto3.client("dynamodb"), boto3.client("stepfunctions")
TABLE = os.environ["TABLE_NAME"]


def register(event: dict[str, Any], _context: object) -> None:
    """Keep the task token of a state that waits, under the id that its input names."""
    print("register")  # MiniStack waits 50 ms for the log of an invocation that writes none
    item = {"id": {"S": event["waitpointId"]}, "taskToken": {"S": event["taskToken"]}, "status": {"S": "WAITING"}}
    dynamodb.put_item(TableName=TABLE, Item=item)


def settle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    print("settle")
    wait_id = event["pathParameters"]["id"]
    answer = dynamodb.update_item(
        TableName=TABLE,
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
    resume(answer["Attributes"]["taskToken"], event["body"])
    dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": f"{wait_id}#reply"}},
        UpdateExpression="SET reply = :reply",
        ExpressionAttributeValues={":reply": {"S": "RESUMED"}},
    )
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": '{"success": true}'}


def ensure(event: dict[str, Any], _context: object) -> None:
    """Read the table's stream, and send again what has no recorded reply."""
    print("ensure")
    images = {record["dynamodb"]["NewImage"]["id"]["S"]: record["dynamodb"]["NewImage"] for record in event["Records"]}
    keys = [{"id": {"S": f"{it}#reply"}} for it in images]
    answer = dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": keys}})
    replied = {it["id"]["S"].removesuffix("#reply") for it in answer["Responses"][TABLE]}
    for waitpoint_id in images.keys() - replied:
        image = images[waitpoint_id]
        try:
            resume(image["taskToken"], image["output"]["S"])
        except step_functions.exceptions.TaskTimedOut:
            continue  # an earlier call resumed it


def resume(task_token: dict[str, str], output: str) -> None:
    step_functions.send_task_success(taskToken=task_token["S"], output=f'{{"ok":true,"output":{output}}}')
