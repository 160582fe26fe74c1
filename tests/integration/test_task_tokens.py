"""Step Functions' behaviour, checked on the fake, which is as strict as AWS, and on moto, which is not."""

import boto3
import pytest

from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import ACCOUNT
from tests.support.task_tokens import DeployedTaskTokens, FakeTasks, RealTasks, TaskTokens, UnknownTaskTokens

pytestmark = pytest.mark.slow  # moto's state machines


class TestTheFake(DeployedTaskTokens, UnknownTaskTokens):
    @pytest.fixture
    def tasks(self) -> FakeTasks:
        return FakeTasks()


class TestMoto(TaskTokens, UnknownTaskTokens):
    @pytest.fixture
    def tasks(self, stack: MotoStack) -> RealTasks:
        return RealTasks(boto3.client, f"arn:aws:iam::{ACCOUNT}:role/waits")
