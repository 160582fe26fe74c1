"""Ask somebody for an approval, and wait for it. The input is `{"order": "4711"}`, with a `"timeout"` if 7 days are wrong."""

import json
import os
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from waitpoints_client import Failed, Ok
from waitpoints_client.durable import wait_for_token


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    key = context.execution_context.durable_execution_arn  # a step that is tried again gets the same token
    fields = {"timeout": event.get("timeout", "7d"), "tags": [f"order:{event['order']}"], "idempotencyKey": key}
    token = context.step(lambda _: create_token(fields), name="create token")
    context.step(lambda _: tell(event["order"], token["url"]), name="tell")
    match wait_for_token(context, token["id"], name="approval"):
        case Ok({"approved": True}):
            return {"order": event["order"], "status": "approved"}
        case Ok():
            return {"order": event["order"], "status": "rejected"}
        case Failed(error):
            return {"order": event["order"], "status": "not approved", "reason": error.message}


def create_token(fields: dict[str, Any]) -> dict[str, Any]:
    answer = boto3.client("lambda").invoke(FunctionName=os.environ["CREATE_FUNCTION"], Payload=json.dumps(fields))
    payload = answer["Payload"].read()
    if "FunctionError" in answer:
        raise RuntimeError(payload.decode())
    created: dict[str, Any] = json.loads(payload)
    return created


def tell(order: str, url: str) -> None:
    """Send whoever has subscribed to the topic what to run. Whoever has the URL can answer."""
    line = f"""curl -X POST '{url}' -d '{{"approved": true}}'"""
    boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Subject=f"Order {order}: approve?", Message=line)
