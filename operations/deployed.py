"""A deployed stack as its operator reaches it: the one that runs on this machine, or one in an AWS account."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
from botocore.config import Config

LOCAL_STACK = Path(__file__).resolve().parent.parent / ".local" / "stack.json"
PATIENCE = 900  # seconds: the longest that a Lambda function runs


class NotFound(Exception):
    """Which stack could not be found, and what to do."""


@dataclass(frozen=True)
class Deployed:
    name: str
    endpoint: dict[str, Any]

    @classmethod
    def chosen(cls) -> "Deployed":
        """The stack named by STACK in the AWS account of the environment, else the one that `make run` is serving."""
        if name := os.environ.get("STACK"):
            return cls(name, {})
        if not LOCAL_STACK.exists():
            raise NotFound("No stack: start one with `make run`, or name one in your AWS account with STACK=waitpoints")
        local = json.loads(LOCAL_STACK.read_text())
        try:
            urlopen(f"{local['endpoint_url']}/_ministack/health", timeout=5).close()
        except OSError:
            raise NotFound(f"The stack at {local['endpoint_url']} has ended: start one with `make run`") from None
        endpoint = {"endpoint_url": local["endpoint_url"], "region_name": local["region"]}
        return cls(local["stack_name"], {**endpoint, "aws_access_key_id": "test", "aws_secret_access_key": "test"})

    def client(self, service: str) -> Any:
        return boto3.client(service, config=Config(read_timeout=PATIENCE, retries={"total_max_attempts": 1}), **self.endpoint)

    @cached_property
    def outputs(self) -> dict[str, str]:
        described = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    def invoke(self, function: str, payload: Any) -> Any:
        """What a function answers. Raises RuntimeError with its error when it fails."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))
        result = json.loads(answer["Payload"].read() or "null")
        if "FunctionError" in answer:
            raise RuntimeError(f"{function.rpartition(':')[2]} failed: {result.get('errorType')}: {result.get('errorMessage')}")
        return result
