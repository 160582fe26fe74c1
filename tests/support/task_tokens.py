"""Step Functions' behaviour with task tokens, as far as a resume relies on it.

`TaskTokens` holds for the emulator and moto, `DeployedTaskTokens` for the emulator. test_step_functions.py has the fake.

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
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from waitpoints.aws.step_functions import StepFunctions
from waitpoints.errors import CannotResume
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import RESULT_LIMIT, Failure, Success

PATIENCE = 30  # seconds
OUTPUT = Success('{"n": 1.5, "text": "Ünïcode"}')
LARGEST = Success(f'{{"x":"{"x" * (RESULT_LIMIT - 8)}"}}')
ERROR = Failure("WaitpointTimeoutError", "Waitpoint timed out at 2027-01-15T08:00:00.000Z")


class RealTasks:
    """Tasks of a Step Functions that runs state machines: each puts its task token on a queue and waits."""

    def __init__(self, make_client: Callable[[str], Any], role_arn: str) -> None:
        self.client, self._sqs = make_client("stepfunctions"), make_client("sqs")
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


class TaskTokens:
    """Subclasses have a fixture `tasks`."""

    def test_a_waiting_task_goes_on_with_the_output_it_is_given(self, tasks: Any) -> None:
        task_token = tasks.start()
        assert tasks.result(task_token) is None
        assert StepFunctions(lambda: tasks.client).resume(task_token, OUTPUT) is ReplyKind.RESUMED
        assert tasks.end(task_token) == as_json(OUTPUT.json)

    def test_one_task_has_nothing_to_do_with_another(self, tasks: Any) -> None:
        first, second = tasks.start(), tasks.start()
        StepFunctions(lambda: tasks.client).resume(second, OUTPUT)
        tasks.end(second)
        assert tasks.result(first) is None


class UnknownTaskTokens:
    """What the emulator does not keep: it takes a task token that was never issued for one that is used up."""

    @pytest.mark.parametrize("result", [OUTPUT, ERROR], ids=["success", "failure"])
    def test_a_task_token_that_was_never_issued_is_refused(self, tasks: Any, result: Success | Failure) -> None:
        with pytest.raises(CannotResume, match="InvalidToken"):
            StepFunctions(lambda: tasks.client).resume(FakeStepFunctions().start_task(), result)


class DeployedTaskTokens(TaskTokens):
    """Behaviour that moto does not have."""

    def test_a_task_that_has_ended_is_gone_and_stays_as_it_ended(self, tasks: Any) -> None:
        task_token = tasks.start()
        StepFunctions(lambda: tasks.client).resume(task_token, OUTPUT)
        tasks.end(task_token)
        assert StepFunctions(lambda: tasks.client).resume(task_token, Success('"second"')) is ReplyKind.GONE
        assert tasks.end(task_token) == as_json(OUTPUT.json)

    def test_a_waiting_task_fails_with_the_error_it_is_given(self, tasks: Any) -> None:
        task_token = tasks.start()
        assert StepFunctions(lambda: tasks.client).resume(task_token, ERROR) is ReplyKind.RESUMED
        assert tasks.end(task_token) == ERROR

    def test_the_largest_output_is_carried(self, tasks: Any) -> None:
        task_token = tasks.start()
        assert len(LARGEST.json.encode()) == RESULT_LIMIT
        assert StepFunctions(lambda: tasks.client).resume(task_token, LARGEST) is ReplyKind.RESUMED
        assert tasks.end(task_token) == as_json(LARGEST.json)
