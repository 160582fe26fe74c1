"""Roles for state machines and durable functions of one's own on the stack of this machine, so that they can be created."""

import json
from contextlib import suppress
from typing import Any

NAME, FUNCTIONS_NAME = "waitpoints-machines", "waitpoints-functions"
POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:*:*:function:*"}],
}
EVERYTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def trust(service: str) -> dict[str, Any]:
    """Return the policy that lets a service assume a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def make_role(iam: Any) -> str:
    """Make the role of state machines, or find it. It may invoke the stack's functions and any of one's own.

    Returns its ARN.
    """
    return _make(iam, NAME, "states", POLICY)


def make_role_of_functions(iam: Any) -> str:
    """Make the role of functions under test, or find it. It may do everything: their own roles are not tested here."""
    return _make(iam, FUNCTIONS_NAME, "lambda", EVERYTHING)


def _make(iam: Any, name: str, service: str, policy: dict[str, Any]) -> str:
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(service)))
    iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=json.dumps(policy))
    return str(iam.get_role(RoleName=name)["Role"]["Arn"])
