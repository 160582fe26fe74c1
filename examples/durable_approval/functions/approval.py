"""Ask somebody for an approval, and wait for it. The input is `{"order": "4711"}`, with a `"timeout"` if 7 days are wrong."""

import json
import os
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from waitpoints_client import Failed, Ok
from waitpoints_client.durable import wait_for_token

ACTIONS = [{"id": "approve", "label": "Approve"}, {"id": "reject", "label": "Reject", "style": "danger"}]


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    order = event["order"]
    fields = {
        "timeout": event.get("timeout", "7d"),
        "tags": [f"order:{order}"],
        "idempotencyKey": context.execution_context.durable_execution_arn,  # a step that is tried again gets the same token
        "page": {"title": f"Approve order {order}?", "actions": ACTIONS},
    }
    token = context.step(lambda _: create_token(fields), name="create token")
    context.step(lambda _: tell(order, token["url"]), name="tell")
    match wait_for_token(context, token["id"], name="approval"):
        case Ok({"action": "approve"}):
            return {"order": order, "status": "approved"}
        case Ok():
            return {"order": order, "status": "rejected"}
        case Failed(error):
            return {"order": order, "status": "not approved", "reason": error.message}


def create_token(fields: dict[str, Any]) -> dict[str, Any]:
    answer = boto3.client("lambda").invoke(FunctionName=os.environ["CREATE_FUNCTION"], Payload=json.dumps(fields))
    payload = answer["Payload"].read()
    if "FunctionError" in answer:
        raise RuntimeError(payload.decode())
    created: dict[str, Any] = json.loads(payload)
    return created


def tell(order: str, url: str) -> None:
    """Send whoever has subscribed to the topic the link to the page. Whoever has the link can answer."""
    message = f"Open this page, and press a button:\n\n{url}"
    boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Subject=f"Approve order {order}?", Message=message)
