"""What create_token is measured against: put a token's item with boto3 alone, and nothing else."""

import json
import secrets
import time
from typing import Any

import boto3
from botocore.config import Config

config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
dynamodb = boto3.client("dynamodb", config=config)
secrets_manager = boto3.client("secretsmanager", config=config)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One put."""
    wanted, token_id = json.loads(event["body"]), secrets.token_hex(16)
    dynamodb.put_item(
        TableName="tokens",
        Item={
            "id": {"S": token_id},
            "item": {"S": "token"},
            "status": {"S": "WAITING"},
            "createdAt": {"N": str(time.time_ns() // 1_000_000)},
            "tags": {"L": [{"S": tag} for tag in wanted["tags"]]},
        },
        ConditionExpression="attribute_not_exists(id)",
    )
    return {"statusCode": 200, "body": json.dumps({"id": token_id})}


def same_calls(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """What create_token asks of AWS on its first request: the API key and the signing key too."""
    secrets_manager.get_secret_value(SecretId="api-key")
    secrets_manager.get_secret_value(SecretId="signing-key")
    return handler(event, _context)
