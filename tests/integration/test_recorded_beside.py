"""What else reads the table and the bucket passes over recorded deliveries, also in the previous version."""

from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from waitpoints_client.ops.deployed import Deployed, Outputs
from waitpoints_client.ops.restore import copy
from waitpoints_client.ops.stream_filter import matches

from tests.support.faults.wire import Killed
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import Template
from tests.support.previous_functions import PreviousFunctions
from tests.support.recorded_endpoint import NAME, deliver
from waitpoints.aws.doctor_store import DoctorStore
from waitpoints.endpoint import Endpoint
from waitpoints.wiring import services

pytestmark = pytest.mark.slow

MINUTE = 60_000
KINDS = {"deliveries#", "pending deliveries#", "delivery event#", "resend#"}
OLD_TABLE = "old"


@pytest.fixture
def stream(stack: MotoStack, clock: FakeClock, step_functions: FakeStepFunctions) -> Stream:  # the clock comes first
    return Stream(stack)


@pytest.fixture
def recorded(api: Api, stack: MotoStack, stream: Stream, endpoint: Endpoint) -> list[dict[str, Any]]:
    """Items of each kind, as DynamoDB has them: of a delivery that is pending, and of one that was finished and sent again."""
    with mock.patch("waitpoints.api.endpoints.endpoint_delivery.process", side_effect=Killed), pytest.raises(Killed):
        deliver(api, endpoint, {"id": 1}, "event-1")
    assert deliver(api, endpoint, {"id": 2}, "event-2").status == 200
    [listed] = api.get(f"/api/v1/endpoints/{NAME}/deliveries?filter%5Bkind%5D=kept").json["data"]
    path = f"/api/v1/endpoints/{NAME}/deliveries/{listed['id']}/resend"
    assert api.post(path, {"idempotencyKey": "again"}).json["kind"] == "repeated"
    found = [item for item in stack.every_item() if any(item["id"]["S"].startswith(kind) for kind in KINDS)]
    assert {kind for kind in KINDS for item in found if item["id"]["S"].startswith(kind)} == KINDS
    return found


def pending(clock: FakeClock) -> int:
    return len(list(services.deliveries.pending(clock())))


def test_the_scan_passes_over_them(stack: MotoStack, recorded: list[Any], clock: FakeClock) -> None:
    store = DoctorStore(client_of("dynamodb"), stack.table)
    others = [item for item in stack.every_item() if item not in recorded]
    table = boto3.resource("dynamodb").Table(stack.table)
    for item in others:
        table.delete_item(Key={name: item[name]["S"] for name in ("id", "item")})
    [page] = store.read_segment(0, 1, None, clock() + 400 * 86_400_000)
    assert page.items == len(recorded)
    assert (page.unresumed, page.overdue, page.attachments, page.oldest) == ([], [], [], [])
    assert {it["id"].partition("#")[0] + "#" for it in page.recorded} == KINDS - {"pending deliveries#"}


@pytest.mark.parametrize("parameters", [{}, {"EventBusName": "orders"}])
def test_no_filter_of_the_stream_lets_them_through(recorded: list[Any], parameters: dict[str, str]) -> None:
    filters = [
        pattern
        for function in ("resume_waiters", "schedule_timeouts")
        for pattern in Template.load(parameters).stream_filter(function)
    ]
    assert len(filters) >= 2
    for image in recorded:
        for name in ("INSERT", "MODIFY"):
            record = {"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": {"NewImage": image, "Keys": {}}}
            assert not any(matches(pattern, record) for pattern in filters)


def test_a_restore_copies_them_and_the_new_stacks_doctor_processes_what_is_pending(
    api: Api, stack: MotoStack, recorded: list[Any], clock: FakeClock
) -> None:
    dynamodb, table = client_of("dynamodb"), stack.table
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=OLD_TABLE, UseLatestRestorableTime=True)
    stack.empty_table()
    stack.call("doctor", {})  # the new stack's has run before
    deployed = Deployed("new", boto3.Session())
    vars(deployed)["outputs"] = Outputs(TableName=table)
    try:
        copy(deployed, OLD_TABLE, say=lambda _: None)
    finally:
        dynamodb.delete_table(TableName=OLD_TABLE)
    assert [item for item in recorded if item not in stack.every_item()] == []
    assert pending(clock) == 1
    clock.advance(16 * MINUTE)
    assert stack.call("doctor", {})["repaired"] == 1
    assert pending(clock) == 0


def test_the_previous_version_processes_what_is_pending_and_reads_and_repeats_the_rest(
    stack: MotoStack,
    clock: FakeClock,
    step_functions: FakeStepFunctions,
    endpoint: Endpoint,
    recorded: list[Any],
    tmp_path: Path,
) -> None:
    previous, path = PreviousFunctions(stack, tmp_path), f"/api/v1/endpoints/{NAME}/deliveries"
    previous.use(clock, step_functions_client=step_functions)
    clock.advance(16 * MINUTE)
    assert previous.call("doctor", {})["repaired"] == 1
    assert pending(clock) == 0
    old = Api(previous.template, stack.secret("ApiKey"))
    with previous.in_place():
        listed = old.get(f"{path}?filter%5Bkind%5D=kept").json["data"]
        assert len(listed) == 2
        for it in listed:
            assert old.get(f"{path}/{it['id']}").status == 200
            assert old.post(f"{path}/{it['id']}/resend", {}).json["kind"] == "repeated"
