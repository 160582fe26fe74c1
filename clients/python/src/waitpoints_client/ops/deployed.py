"""Access to a deployed stack through AWS's own API: the one that runs on this machine, or one in an AWS account."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.request import urlopen

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from waitpoints_client.ops.aws_errors import NO_CREDENTIALS

LONGEST_INVOCATION = 900  # seconds: Lambda's longest timeout
PROBED_AFTER = 60  # seconds without traffic. A NAT gateway forgets a connection after 350
PROBLEMS = (BotoCoreError, ClientError, RuntimeError)
"""Raised by a call to a stack if AWS rejects it or does not respond, or if a function fails."""


class NotFound(Exception):
    """A stack cannot be reached. The message says what is missing and what to do, in one sentence."""


@dataclass(frozen=True)
class Deployed:
    name: str
    session: boto3.Session
    endpoint: dict[str, Any] = field(default_factory=dict)
    described: Mapping[str, str] = field(default_factory=dict)
    """By its `stack.json`, if it runs on this machine."""

    @classmethod
    def named(cls, name: str) -> "Deployed":
        """Return the stack of this name in AWS, with the user's own credentials and region. Raises NotFound."""
        return cls(name, open_session())

    @classmethod
    def local(cls, stack: Mapping[str, str]) -> "Deployed":
        """Return the stack that a `stack.json` describes. Raises NotFound if it no longer runs."""
        try:
            urlopen(f"{stack['endpoint_url']}/_ministack/health", timeout=5).close()
        except OSError:
            raise NotFound(f"The stack at {stack['endpoint_url']} no longer runs: start one with `waitpoints up`") from None
        without_profile = botocore.session.Session({"profile": (None, None, None, None)})  # of the user, for AWS
        pair = stack.get("access_key_id"), stack.get("secret_access_key")
        if not all(pair):
            raise NotFound(f"The stack at {stack['endpoint_url']} is of an older version: end it, and start it again")
        session = boto3.Session(*pair, region_name=stack["region"], botocore_session=without_profile)
        return cls(stack["stack_name"], session, {"endpoint_url": stack["endpoint_url"]}, stack)

    @property
    def place(self) -> str:
        """Say where the stack is."""
        return f"on this machine ({url})" if (url := self.endpoint.get("endpoint_url")) else f"in {self.session.region_name}"

    def client(self, service: str) -> Any:
        return self.session.client(service, **self.endpoint)

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return bool(self.endpoint)

    @cached_property
    def outputs(self) -> "Outputs":
        """The stack's outputs by name. Raises NotFound if the stack does not exist."""
        return Outputs({output["OutputKey"]: output["OutputValue"] for output in self._described.get("Outputs", [])})

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The values of the stack's parameters by name. Raises NotFound if the stack does not exist."""
        return {one["ParameterKey"]: one["ParameterValue"] for one in self._described.get("Parameters", [])}

    @cached_property
    def _described(self) -> dict[str, Any]:
        try:
            described: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            where = f"{self.name} in {self.session.region_name}"
            raise NotFound(f"No stack {where} of this account: check its name, AWS_REGION and AWS_PROFILE") from None
        return described

    def read_api_key(self) -> str:
        """Return the stack's API key, from its secret."""
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.outputs["ApiKeySecret"])
        return str(secret["SecretString"])

    def list_physical_ids(self, kind: str = "") -> dict[str, str]:
        """Return the physical ids of the stack's resources by their names in the template: all, or those of one type."""
        return {
            one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
            for one in self._summaries
            if kind in ("", one["ResourceType"])
        }

    @cached_property
    def _summaries(self) -> list[dict[str, Any]]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [resource for page in pages for resource in page["StackResourceSummaries"]]

    def invoke(self, function: str, payload: Any, seconds: int = LONGEST_INVOCATION) -> Any:
        """Invoke a function and return its result. Raises RuntimeError with the function's error, BotoCoreError on timeout."""
        functions = self.session.client("lambda", config=invocation_config(seconds), **self.endpoint)
        keep_connections_alive(functions)
        answer = functions.invoke(FunctionName=function, Payload=json.dumps(payload))
        result = json.loads(answer["Payload"].read() or "null")
        if "FunctionError" in answer:
            raise RuntimeError(
                f"{unqualified(function).rpartition(':')[2]} failed: {result.get('errorType')}: {result.get('errorMessage')}"
            )
        return result


class Outputs(dict[str, str]):
    def __missing__(self, name: str) -> str:
        raise NotFound(f"The stack has no output {name}: it isn't a Waitpoints stack, or needs an update: run `sam deploy`")


def invocation_config(seconds: int) -> Config:
    """Configure a client that waits `seconds` for an invocation and never invokes twice."""
    return Config(read_timeout=seconds + 10, tcp_keepalive=True, retries={"total_max_attempts": 1})


def keep_connections_alive(client: Any) -> None:
    """Send probes over the connections of a client with `tcp_keepalive`, so that no NAT or firewall between forgets them.

    `tcp_keepalive` alone leaves the first probe to the system, after two hours: https://github.com/boto/botocore/issues/2916.
    botocore has no setting for it, so this adds to its options before it connects.
    """
    after = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)  # macOS has the second name
    pause = getattr(socket, "TCP_KEEPINTVL", None)
    options = client._endpoint.http_session._socket_options
    options += [(socket.IPPROTO_TCP, option, PROBED_AFTER) for option in (after, pause) if option]


def unqualified(function_arn: str) -> str:
    """Return a function's ARN without a version or an alias."""
    return ":".join(function_arn.split(":")[:7])


def open_session() -> boto3.Session:
    """Return a session with the user's credentials and region. Raises NotFound that says what to set if one is missing.

    boto3 reads only AWS_DEFAULT_REGION; the other SDKs read AWS_REGION.
    """
    session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    if not session.region_name:
        raise NotFound(
            "No region: set AWS_REGION, such as AWS_REGION=eu-west-1, or choose a profile with a region with AWS_PROFILE"
        )
    if not session.get_credentials():
        raise NotFound(NO_CREDENTIALS)
    return session
