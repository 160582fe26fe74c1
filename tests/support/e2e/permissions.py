"""What a stack has deployed, and functions without a permission for a while: the emulator enforces IAM as AWS does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from waitpoints_local.stack import Endpoint, Stack


def resources(where: Stack | Endpoint, name: str) -> list[dict[str, Any]]:
    """The resources of the stack of this name."""
    pages = where.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    return [resource for page in pages for resource in page["StackResourceSummaries"]]


def physical_name(stack: Stack, logical_id: str) -> str:
    described = stack.client("cloudformation").describe_stack_resource(StackName=stack.stack_name, LogicalResourceId=logical_id)
    return str(described["StackResourceDetail"]["PhysicalResourceId"])


def outputs(stack: Stack, name: str = "") -> dict[str, str]:
    """The outputs of the stack, or of another one of this name."""
    [described] = stack.client("cloudformation").describe_stacks(StackName=name or stack.stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def boundaries(stack: Stack, name: str = "") -> dict[str, str | None]:
    """The permissions boundary of each role of the stack, or of another one of this name, by the roles' logical ids."""
    found = [it for it in resources(stack, name or stack.stack_name) if it["ResourceType"] == "AWS::IAM::Role"]
    roles = {it["LogicalResourceId"]: stack.client("iam").get_role(RoleName=it["PhysicalResourceId"])["Role"] for it in found}
    return {role: it.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for role, it in roles.items()}


@contextmanager
def denied(stack: Stack, action_prefix: str, *functions: str) -> Iterator[None]:
    """Within this, the roles of these functions (logical ids) lack every action that begins with `action_prefix`."""
    iam, functions_client = stack.client("iam"), stack.client("lambda")
    deny = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "' + action_prefix + '*", "Resource": "*"}]}'
    policy, roles = f"without-{action_prefix.replace(':', '.')}", []
    for function in functions:
        configuration = functions_client.get_function_configuration(FunctionName=physical_name(stack, function))
        roles.append(configuration["Role"].rpartition("/")[2])
    try:
        for role in roles:
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=deny)
        yield
    finally:
        for role in roles:
            iam.delete_role_policy(RoleName=role, PolicyName=policy)
