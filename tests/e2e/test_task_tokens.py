"""Step Functions' behaviour, checked on the emulator."""

import json
import uuid
from collections.abc import Iterator, Mapping

import pytest

from tests.support.task_tokens import DeployedTaskTokens, RealTasks
from waitpoints_local.stack import Stack


class TestTheEmulator(DeployedTaskTokens):
    @pytest.fixture
    def tasks(self, stack: Stack) -> Iterator[RealTasks]:
        iam, name = stack.client("iam"), f"waits-{uuid.uuid4().hex[:12]}"
        trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        may_send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="send", PolicyDocument=_policy(may_send))
        yield RealTasks(stack.client, role)
        iam.delete_role_policy(RoleName=name, PolicyName="send")
        iam.delete_role(RoleName=name)


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
