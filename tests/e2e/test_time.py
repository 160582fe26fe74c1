"""Hours pass in moments by the engine's clock of one execution: its waits, its retries, and the tokens that it waits for."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from waitpoints_client.ops.deployed import Deployed

from tests.support.e2e.api import Api
from tests.support.e2e.states import task
from waitpoints_local.clocks import Skipped
from waitpoints_local.machine.clock import ClockProblem, skip
from waitpoints_local.stack import Stack

HOUR, DAY = 3600, 86_400
PAGE = {"title": "Refund?", "approvers": ["ada"], "remind": ["4h"], "escalate": {"after": "1d", "to": ["lead"]}}


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Deployed:
    return Deployed.local(asdict(stack))


@pytest.fixture
def described(stack: Stack) -> Callable[[str], Any]:
    return lambda execution: stack.client("stepfunctions").describe_execution(executionArn=execution)


def create_and_wait(stack: Stack, options: dict[str, Any], **fields: Any) -> dict[str, Any]:
    payload = {**options, "unwrap": True, "taskToken.$": "$$.Task.Token"}
    return task("lambda:invoke.waitForTaskToken", stack.create_function_name, payload, **fields)


def wait(hours: int, **fields: Any) -> dict[str, Any]:
    return {"Type": "Wait", "Seconds": hours * HOUR, **fields}


def rounded(skipped: list[Skipped]) -> list[tuple[str, str, int]]:
    return [(it.state, it.what, round(it.seconds / HOUR)) for it in skipped]


def test_a_token_is_asked_and_times_out_between_waits(
    api: Api, stack: Stack, deployed: Deployed, described: Callable[[str], Any]
) -> None:
    """Of two executions, one is skipped."""
    caught = {"Catch": [{"ErrorEquals": ["WaitpointTimeoutError"], "Next": "Late"}], "TimeoutSeconds": 3 * DAY}
    ask = create_and_wait(stack, {"timeout": "2d", "page": PAGE}, **caught, Next="Never")
    states = {"Night": wait(4, Next="Ask"), "Ask": ask, "Late": wait(5, End=True), "Never": {"Type": "Fail"}}
    one, other = api.run(states), api.run(states)
    passed = rounded(skip(deployed, one, 3 * DAY))
    assert passed == [
        ("Night", "Wait", 4),
        ("Ask", "reminder", 4),
        ("Ask", "escalation", 20),
        ("Ask", "timeout", 24),
        ("Late", "Wait", 5),
    ]
    ended = described(one)
    assert (ended["status"], round((ended["stopDate"] - ended["startDate"]).total_seconds() / HOUR)) == ("SUCCEEDED", 57)
    assert described(other)["status"] == "RUNNING"
    assert rounded(skip(deployed, other, HOUR)) == [("Night", "Wait", 1)]
    stack.client("stepfunctions").stop_execution(executionArn=other)


def test_a_state_retries_for_hours(api: Api, stack: Stack, deployed: Deployed, described: Callable[[str], Any]) -> None:
    retry = [{"ErrorEquals": ["WaitpointTimeoutError"], "IntervalSeconds": 2 * HOUR, "MaxAttempts": 2}]
    ask = create_and_wait(stack, {"timeout": "1h"}, Retry=retry)
    execution = api.run({"Ask": ask})
    first = [("Ask", "timeout", 1), ("Ask", "Retry", 2)]
    assert rounded(skip(deployed, execution, DAY)) == [
        *first,
        ("Ask", "timeout", 1),
        ("Ask", "Retry", 4),
        ("Ask", "timeout", 1),
    ]
    assert (described(execution)["status"], described(execution)["error"]) == ("FAILED", "WaitpointTimeoutError")


def test_an_execution_that_does_not_exist_is_named(deployed: Deployed) -> None:
    with pytest.raises(ClockProblem, match=r"^No execution arn:nothing on this machine$"):
        skip(deployed, "arn:nothing", HOUR)
