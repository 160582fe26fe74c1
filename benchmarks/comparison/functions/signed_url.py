"""The design of github.com/benkehoe/sfn-callback-urls: the task token travels in the URL, signed, and nothing is stored."""

import base64
import hashlib
import hmac
import json
import os
import time
from functools import cache
from typing import Any

import boto3

region = os.environ.get("AWS_REGION", "us-east-1")  # Lambda sets it; programs import this module to sign
secrets, step_functions = boto3.client("secretsmanager", region_name=region), boto3.client("stepfunctions", region_name=region)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    print("signed url")
    task_token = verified(event["queryStringParameters"]["data"], signing_key())
    if task_token is None:
        return answer(403, {"error": "The URL is not valid, or no longer"})
    step_functions.send_task_success(taskToken=task_token, output=f'{{"ok":true,"output":{event["body"]}}}')
    return answer(200, {"success": True})


@cache
def signing_key() -> bytes:
    return bytes(secrets.get_secret_value(SecretId=os.environ["SIGNING_KEY"])["SecretString"], "ascii")


def signed(task_token: str, expires_at: float, key: bytes) -> str:
    """Return the part of a URL that resumes this task."""
    payload = base64.urlsafe_b64encode(json.dumps({"token": task_token, "exp": expires_at}).encode())
    return f"{payload.decode()}.{signature(payload, key)}"


def verified(data: str, key: bytes) -> str | None:
    """Return the task token of such a part, or None."""
    payload, _, found = data.partition(".")
    if not hmac.compare_digest(found, signature(payload.encode(), key)):
        return None
    content = json.loads(base64.urlsafe_b64decode(payload))
    return content["token"] if content["exp"] > time.time() else None


def signature(payload: bytes, key: bytes) -> str:
    return hmac.new(key, payload, hashlib.sha256).hexdigest()


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
