"""Step Functions' behaviour, checked on moto."""

import boto3
import pytest

from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import ACCOUNT
from tests.support.task_tokens import RealTasks, TaskTokens, UnknownTaskTokens

pytestmark = pytest.mark.slow  # moto's state machines


class TestMoto(TaskTokens, UnknownTaskTokens):
    @pytest.fixture
    def tasks(self, stack: MotoStack) -> RealTasks:
        return RealTasks(boto3.client, f"arn:aws:iam::{ACCOUNT}:role/waits")
