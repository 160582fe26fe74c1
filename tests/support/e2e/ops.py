"""The operator's commands, run against the stack on the emulator as against one in AWS."""

import json
import os
import subprocess
from typing import Any

from tests.support.e2e.permissions import outputs, physical_name
from tools.stack import ROOT
from waitpoints_local.stack import Stack


class Operator:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def run(self, command: str, **variables: str) -> tuple[int, str]:
        """Run an operator's command. Returns its exit status and its output."""
        with self.start(command, **variables) as process:
            output, _ = process.communicate()
        return process.returncode, output

    def start(self, command: str, **variables: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "STACK": self.stack.stack_name,
            **self.stack.endpoint.environment(),
            **variables,
        }
        return subprocess.Popen(
            ["make", command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def invoke(self, logical_id: str, event: Any) -> Any:
        """Invoke a function of the stack, which must not fail. Returns what it answers."""
        function = physical_name(self.stack, logical_id)
        answer = self.stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        found = json.load(answer["Payload"])
        assert "FunctionError" not in answer, found
        return found

    def dead_letters(self) -> list[dict[str, str]]:
        """The messages in the dead-letter queue. They stay there."""
        url = outputs(self.stack)["DeadLetterQueueUrl"]
        answer = self.stack.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    def set_back(self, token_id: str, attribute: str, milliseconds: int) -> None:
        """Move an instant of a token back in time."""
        self.stack.client("dynamodb").update_item(
            TableName=self.stack.table_name,
            Key={"id": {"S": token_id}, "item": {"S": "token"}},
            UpdateExpression="SET #instant = #instant - :by",
            ExpressionAttributeNames={"#instant": attribute},
            ExpressionAttributeValues={":by": {"N": str(milliseconds)}},
        )
