"""A role for state machines of one's own on the stack of this machine, so that they can be created as on AWS."""

import json
from contextlib import suppress
from typing import Any

NAME = "waitpoints-machines"
TRUST: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:*:*:function:*"}],
}


def make_role(iam: Any) -> str:
    """Make the role, or find it. It may invoke the stack's functions and any of one's own. Returns its ARN."""
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=NAME, PolicyName="invoke-functions", PolicyDocument=json.dumps(POLICY))
    return str(iam.get_role(RoleName=NAME)["Role"]["Arn"])
