"""The operator sees what denied roles, lost timers and the stream leave undone, and one command finishes it."""

import time

import pytest

from tests.support.e2e.api import Api
from tests.support.e2e.durable import Durable
from tests.support.e2e.ops import Operator
from tests.support.e2e.permissions import denied, physical_name
from tests.support.e2e.waiting import until
from tests.support.in_process.api_gateway import TOKENS
from waitpoints_local.stack import Stack


@pytest.fixture
def operator(stack: Stack) -> Operator:
    return Operator(stack)


def undelivered(api: Api) -> list[str]:
    return [token["id"] for token in api.ask("GET", f"{TOKENS}?filter[undelivered]=true")["data"]]


def test_a_denied_resume_is_dead_lettered_and_finished_by_one_command(api: Api, operator: Operator, durable: Durable) -> None:
    """A state machine and a durable function wait for the same token."""
    token = api.create()
    execution, durable_execution = api.wait(token), durable.wait(token)
    api.wait_until_registered(token, waiters=2)

    resuming = ("AcceptCallback", "ResumeWaiters", "Doctor")
    with denied(api.stack, "states:SendTask", *resuming), denied(api.stack, "lambda:SendDurable", *resuming):
        assert api.deliver(token, {"paid": True}).status == 200  # settled: the provider has done its part
        letter = {"waitpointId": token["id"], "reason": "AccessDeniedException"}
        until(lambda: letter in operator.dead_letters(), "no dead letter")
        assert [waiter["status"] for waiter in api.retrieve(token)["waiters"]] == ["UNDELIVERED"] * 2
        assert token["id"] in undelivered(api)
        operator.set_back(token["id"], "completedAt", 61_000)
        status, output = operator.run("doctor")
        assert (status, token["id"] in output) == (2, True), output  # 2: make's status for a failed command
        status, output = operator.run("redrive")
        assert status != 0
        assert [waiter["status"] for waiter in api.retrieve(token)["waiters"]] == ["UNDELIVERED"] * 2

    time.sleep(1)
    status, output = operator.run("redrive")
    assert status == 0, output
    assert api.result(execution) == ("SUCCEEDED", {"paid": True})
    assert durable.result(durable_execution) == ("SUCCEEDED", [{"ok": True, "output": {"paid": True}}])
    assert token["id"] not in undelivered(api)
    waiters = api.retrieve(token)["waiters"]
    assert {waiter["execution"]: waiter["status"] for waiter in waiters} == {execution: "RESUMED", durable_execution: "RESUMED"}
    status, output = operator.run("doctor")
    assert token["id"] not in output


def test_the_doctor_finishes_an_overdue_token(api: Api, operator: Operator) -> None:
    token, execution = api.awaited(timeout="1h")
    operator.set_back(token["id"], "timeoutAt", 2 * 3_600_000)  # as if its timer had been lost

    status, output = operator.run("doctor")

    assert (status, token["id"] in output) == (0, False), output
    assert api.result(execution) == ("FAILED", "WaitpointTimeoutError")


def test_a_batch_that_the_stream_gave_up_on_is_read_again_by_one_command(api: Api, operator: Operator) -> None:
    """That of a token that is due so soon that only the stream sends its message."""
    mappings, table = api.stack.client("lambda"), api.stack.client("dynamodb")
    schedule_timeouts = physical_name(api.stack, "ScheduleTimeouts")
    mapping = mappings.list_event_source_mappings(FunctionName=schedule_timeouts)["EventSourceMappings"][0]["UUID"]
    # The emulator gives up by age alone, and accepts an age under AWS's least of a minute.
    mappings.update_event_source_mapping(UUID=mapping, MaximumRecordAgeInSeconds=2)

    with denied(api.stack, "sqs:", "ScheduleTimeouts"):
        key = {"id": {"S": api.create(timeout="10s")["id"]}, "item": {"S": "token"}}
        until(lambda: any("DDBStreamBatchInfo" in letter for letter in operator.dead_letters()), "no dead letter")

    time.sleep(1)
    status, output = operator.run("redrive")
    assert status == 0, output

    def has_timed_out() -> bool:
        item = table.get_item(TableName=api.stack.table_name, Key=key, ConsistentRead=True)["Item"]
        return bool(item["status"]["S"] != "WAITING")

    until(has_timed_out, "its timer was never started")
    mappings.update_event_source_mapping(UUID=mapping, MaximumRecordAgeInSeconds=43_200)
