"""Executions that wait for a token, with the real handlers: of a state machine and of a durable function that do the same.

moto runs examples/statemachines/wait_for_webhook.asl.json, and AWS's own test runner the durable function.
"""

import json
import threading
from typing import Any

import pytest

from tests.integration.conftest import Runs, eventually, start_execution
from tests.support.durable_runs import DurableRuns
from tests.support.in_process.api_gateway import JSON, Api
from tests.support.in_process.moto_stack import MotoStack, start_state_machine
from tests.support.in_process.template import ROOT

pytestmark = pytest.mark.slow  # moto's state machines

WEBHOOK = (ROOT / "events" / "github_workflow_run_completed.json").read_bytes()
AnyRuns = Runs | DurableRuns


def registered(api: Api, token_id: str, waiters: int = 1) -> None:
    eventually(lambda: len(api.retrieve(token_id)["waiters"]) == waiters)


class TestTheWebhookResumesTheExecution:
    """In whatever order the wait and the webhook come, the result is the same."""

    def ends_with_the_webhook(self, api: Api, runs: AnyRuns, execution: str, token_id: str) -> None:
        assert runs.result(execution) == ("SUCCEEDED", json.loads(WEBHOOK))
        assert runs.resumed(execution) == 1
        assert api.retrieve(token_id)["output"] == WEBHOOK.decode()

    def test_that_waits_for_it(self, api: Api, runs: AnyRuns) -> None:
        token = api.create()
        execution = runs.wait(token)
        registered(api, token["id"])
        assert api.deliver(token, WEBHOOK).json == {"success": True}
        self.ends_with_the_webhook(api, runs, execution, token["id"])
        [waiter] = api.retrieve(token["id"])["waiters"]
        assert (waiter["status"], waiter["execution"]) == ("RESUMED", execution)

    def test_with_a_reference_if_the_payload_is_over_a_mebibyte(self, api: Api, stack: MotoStack, runs: AnyRuns) -> None:
        token = api.create()
        assert api.deliver(token, json.dumps("x" * 1_100_000).encode()).status == 200
        status, reference = runs.result(runs.wait(token))
        assert (status, reference["bucket"]) == ("SUCCEEDED", stack.resources["OutputBucket"]["Ref"])
        assert reference["key"].startswith(token["id"])

    @pytest.mark.slow
    @pytest.mark.parametrize("attempt", range(10))
    def test_that_registers_at_the_same_moment(self, api: Api, runs: AnyRuns, attempt: int) -> None:
        token = api.create()
        posting = threading.Timer(attempt * 0.003, api.post, (token["url"], WEBHOOK, JSON))
        posting.start()
        execution = runs.wait(token)
        posting.join()
        self.ends_with_the_webhook(api, runs, execution, token["id"])

    def test_once_when_the_webhook_comes_twice(self, api: Api, runs: AnyRuns) -> None:
        token = api.create()
        execution = runs.wait(token)
        registered(api, token["id"])
        api.deliver(token, WEBHOOK)
        api.deliver(token, b'"again"')
        self.ends_with_the_webhook(api, runs, execution, token["id"])


def test_a_timeout_ends_the_execution(api: Api, runs: AnyRuns, clock: Any, stack: MotoStack) -> None:
    token = api.create(timeout="2s")
    execution = runs.wait(token)
    registered(api, token["id"])
    clock.advance(2000)
    expire(stack, token["id"])
    shown = api.retrieve(token["id"])
    cause = f"Waitpoint timed out at {shown['timeoutAt']}"
    assert runs.result(execution) == ("FAILED", ("WaitpointTimeoutError", cause))
    assert (shown["status"], shown["completedAt"]) == ("TIMED_OUT", shown["timeoutAt"])


def expire(stack: MotoStack, token_id: str) -> None:
    """Handle the timer queue's message for a token."""
    message = {"messageId": "1", "body": json.dumps({"waitpointId": token_id}), "eventSource": "aws:sqs"}
    assert stack.call("expire_tokens", {"Records": [message]}) == {"batchItemFailures": []}


@pytest.mark.parametrize(
    ("token_id", "error"),
    [("waitpoint_00000000000000000000000000", "TokenNotFound"), ("rubbish", "TokenNotFound"), ("", "InvalidRequest")],
)
def test_waiting_for_an_invalid_or_unknown_token_fails_with_an_error_that_catch_can_match(
    runs: AnyRuns, token_id: str, error: str
) -> None:
    status, (failure, _) = runs.result(runs.wait({"id": token_id}))  # moto leaves the cause out
    assert (status, failure) == ("FAILED", error)


WAITS_IN_PARALLEL: dict[str, Any] = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": f"Wait {unwrap}",
                    "States": {
                        f"Wait {unwrap}": {
                            "Type": "Task",
                            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                            "Parameters": {
                                "FunctionName": "WaitForToken",
                                "Payload": {"waitpointId.$": "$.id", "taskToken.$": "$$.Task.Token", "unwrap": unwrap},
                            },
                            "Catch": [{"ErrorEquals": ["WaitpointTimeoutError"], "Next": f"Late {unwrap}"}],
                            "End": True,
                        },
                        f"Late {unwrap}": {"Type": "Pass", "Result": "too late", "End": True},
                    },
                }
                for unwrap in (False, True)
            ],
            "End": True,
        }
    },
}


@pytest.fixture(scope="session")
def parallel_runs(stack: MotoStack) -> str:
    return start_state_machine("waits-in-parallel", json.dumps(WAITS_IN_PARALLEL))


def test_branches_can_wait_for_one_token_with_and_without_unwrap(
    api: Api, state_machine_runs: Runs, parallel_runs: str
) -> None:
    token = api.create()
    execution = start_execution(parallel_runs, {"id": token["id"]})
    registered(api, token["id"], 2)
    api.deliver(token, b'{"n":1}')
    assert state_machine_runs.result(execution) == ("SUCCEEDED", [{"ok": True, "output": {"n": 1}}, {"n": 1}])


def test_a_state_with_unwrap_can_catch_the_timeout(
    api: Api, state_machine_runs: Runs, parallel_runs: str, clock: Any, stack: MotoStack
) -> None:
    token = api.create(timeout="2s")
    execution = start_execution(parallel_runs, {"id": token["id"]})
    registered(api, token["id"], 2)
    clock.advance(2000)
    expire(stack, token["id"])
    status, [value, caught] = state_machine_runs.result(execution)
    assert (status, value["ok"], caught) == ("SUCCEEDED", False, "too late")
