"""The budgets of a wait: calls to AWS, and DynamoDB's capacity, counted as `make costs` counts them."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.costs import Bench, Wait, bench
from in_process.moto_stack import MotoStack


@pytest.fixture(scope="module")
def counted(stack: MotoStack) -> Iterator[Bench]:
    with bench(stack) as counted:
        yield counted


@pytest.fixture(scope="module")
def wait(counted: Bench) -> Wait:
    """A wait with a small payload and a task token of a usual length."""
    return counted.wait()


@pytest.mark.parametrize("step", ["create", "wait"])
def test_creating_and_registering_take_one_call_each(wait: Wait, step: str) -> None:
    assert len(wait[step].calls) == 1


def test_creating_with_a_key_takes_one_call(counted: Bench) -> None:
    assert counted.wait(key="budget")["create"].operations() == ["DynamoDB:TransactWriteItems"]


def test_retrieving_takes_one_call(counted: Bench) -> None:
    assert counted.retrieve().operations() == ["DynamoDB:Query"]


def test_settling_resuming_and_recording_take_three_calls(wait: Wait) -> None:
    expected = ["DynamoDB:UpdateItem", "SFN:SendTaskSuccess", "DynamoDB:UpdateItem"]
    assert wait["settle and resume"].operations() == expected


def test_the_stream_function_only_reads_when_there_is_nothing_left_to_do(wait: Wait) -> None:
    assert wait["guarantee"].operations() == ["DynamoDB:Query"]


@pytest.mark.parametrize(
    "options",
    [{}, {"timeout": "24h"}, {"timeout": "24h", "ends": False}, {"timeout": "24h", "task_token": 2048}],
    ids=["no timeout", "completed before its timeout", "timed out", "the longest task token"],
)
def test_a_wait_with_a_small_payload_takes_at_most_eight_write_units(counted: Bench, options: dict[str, Any]) -> None:
    assert counted.wait(**options).write_units <= 8


@pytest.mark.parametrize("timeout", [None, "24h"])
def test_the_bytes_of_a_payload_are_written_once_and_billed_once(counted: Bench, timeout: str | None) -> None:
    wait = counted.wait(payload=20_000, timeout=timeout)
    with_payload = [call for step in wait.steps for call in step.calls if call.item_bytes >= 20_000]
    assert len(with_payload) == 1


def test_arming_a_timer_takes_one_call_and_no_write(counted: Bench) -> None:
    for timeout, call in (("10m", "SQS:SendMessage"), ("24h", "Scheduler:CreateSchedule")):
        assert counted.wait(timeout=timeout)["arm the timer"].operations() == [call]
