"""Step Functions' behaviour with task tokens, as far as a resume relies on it, checked on the emulator.

test_step_functions.py has the fake, which is as strict as AWS:

                                    AWS and the fake   moto 5.2.5          MiniStack 1.5.33
    a second answer at once         TaskTimedOut       taken, last wins    taken, last wins
    an answer after the end         TaskTimedOut       InvalidToken        TaskDoesNotExist
    a token that was never issued   InvalidToken       InvalidToken        TaskDoesNotExist
    a failure after a success       TaskTimedOut       taken, no effect    TaskDoesNotExist
    the cause of a failure          kept               lost                kept
    the largest output              taken              execution fails     taken
    an output that is no JSON       InvalidOutput      taken               taken
    an output over the limit        InvalidOutput      taken               taken
    a task that was stopped         TaskTimedOut       InvalidToken        taken
    a task token                    hundreds of characters, with + / and =; of the others 36, a UUID
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping

import pytest

from tests.support.patience import PATIENCE
from waitpoints.aws.services.step_functions import StepFunctions
from waitpoints.token import ReplyKind, WaiterKind
from waitpoints.waiter_result import RESULT_LIMITS, Failure, Success
from waitpoints_local.stack import Stack

OUTPUT = Success('{"n": 1.5, "text": "Ünïcode"}')
LIMIT = RESULT_LIMITS[WaiterKind.STEP_FUNCTIONS]
LARGEST = Success(f'{{"x":"{"x" * (LIMIT - 8)}"}}')
ERROR = Failure("WaitpointTimeoutError", "Waitpoint timed out at 2027-01-15T08:00:00.000Z")


class RealTasks:
    """Tasks of a Step Functions that runs state machines: each puts its task token on a queue and waits."""

    def __init__(self, stack: Stack, role_arn: str) -> None:
        self.client, self._sqs = stack.client("stepfunctions"), stack.client("sqs")
        name = f"waits-{uuid.uuid4().hex[:12]}"
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        state = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": self._queue, "MessageBody.$": "$$.Task.Token"},
            "End": True,
        }
        definition = json.dumps({"StartAt": "Wait", "States": {"Wait": state}})
        machine = self.client.create_state_machine(name=name, definition=definition, roleArn=role_arn)
        self._machine = machine["stateMachineArn"]
        self._executions: dict[str, str] = {}

    def start(self) -> str:
        execution = self.client.start_execution(stateMachineArn=self._machine, name=uuid.uuid4().hex, input="{}")[
            "executionArn"
        ]
        until = time.monotonic() + PATIENCE
        while not (messages := self._sqs.receive_message(QueueUrl=self._queue).get("Messages")):
            assert time.monotonic() < until, "the task never began"
            time.sleep(0.01)
        self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=messages[0]["ReceiptHandle"])
        task_token = str(messages[0]["Body"])
        self._executions[task_token] = execution
        return task_token

    def result(self, task_token: str) -> Success | Failure | None:
        """The result of the task, if it has ended."""
        described = self.client.describe_execution(executionArn=self._executions[task_token])
        if described["status"] == "SUCCEEDED":
            return as_json(described["output"])
        if described["status"] != "FAILED":
            return None
        history = self.client.get_execution_history(executionArn=self._executions[task_token], reverseOrder=True)
        [how] = [event["executionFailedEventDetails"] for event in history["events"] if event["type"] == "ExecutionFailed"]
        return Failure(how["error"], how["cause"])

    def end(self, task_token: str) -> Success | Failure | None:
        """Wait for the end of the task. Returns its result."""
        until = time.monotonic() + PATIENCE
        while (found := self.result(task_token)) is None:
            assert time.monotonic() < until, "the task waits on"
            time.sleep(0.01)
        return found


def as_json(text: str) -> Success:
    """The output reformatted, so that equal JSON compares equal."""
    return Success(json.dumps(json.loads(text)))


@pytest.fixture
def tasks(stack: Stack) -> Iterator[RealTasks]:
    iam, name = stack.client("iam"), f"waits-{uuid.uuid4().hex[:12]}"
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may_send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="send", PolicyDocument=_policy(may_send))
    yield RealTasks(stack, role)
    iam.delete_role_policy(RoleName=name, PolicyName="send")
    iam.delete_role(RoleName=name)


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_waiting_task_goes_on_with_the_output_it_is_given(tasks: RealTasks) -> None:
    task_token = tasks.start()
    assert tasks.result(task_token) is None
    assert StepFunctions(lambda: tasks.client).resume(task_token, OUTPUT) is ReplyKind.RESUMED
    assert tasks.end(task_token) == as_json(OUTPUT.json)


def test_one_task_has_nothing_to_do_with_another(tasks: RealTasks) -> None:
    first, second = tasks.start(), tasks.start()
    StepFunctions(lambda: tasks.client).resume(second, OUTPUT)
    tasks.end(second)
    assert tasks.result(first) is None


def test_a_task_that_has_ended_is_gone_and_stays_as_it_ended(tasks: RealTasks) -> None:
    task_token = tasks.start()
    StepFunctions(lambda: tasks.client).resume(task_token, OUTPUT)
    tasks.end(task_token)
    assert StepFunctions(lambda: tasks.client).resume(task_token, Success('"second"')) is ReplyKind.GONE
    assert tasks.end(task_token) == as_json(OUTPUT.json)


def test_a_waiting_task_fails_with_the_error_it_is_given(tasks: RealTasks) -> None:
    task_token = tasks.start()
    assert StepFunctions(lambda: tasks.client).resume(task_token, ERROR) is ReplyKind.RESUMED
    assert tasks.end(task_token) == ERROR


def test_the_largest_output_is_carried(tasks: RealTasks) -> None:
    task_token = tasks.start()
    assert len(LARGEST.json.encode()) == LIMIT
    assert StepFunctions(lambda: tasks.client).resume(task_token, LARGEST) is ReplyKind.RESUMED
    assert tasks.end(task_token) == as_json(LARGEST.json)
