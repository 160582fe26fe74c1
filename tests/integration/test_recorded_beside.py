"""What else reads the table and the bucket passes over recorded deliveries, also in the previous version."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import pytest
from waitpoints_client.ops.deployed import Deployed, Outputs
from waitpoints_client.ops.restore import copy
from waitpoints_client.ops.stream_filter import matches

from tests.support.faults.wire import Killed
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import Template
from tests.support.previous_functions import PreviousFunctions
from tests.support.recorded_endpoint import NAME, deliver, recording_endpoint
from waitpoints.access.api_keys import NamedKey, Scope, digest, new_key
from waitpoints.aws.doctor_store import STATE_KEY, DoctorStore
from waitpoints.aws.items import plain
from waitpoints.endpoint import Endpoint
from waitpoints.scan_state import DoctorState, ScanCursor
from waitpoints.wiring import services

pytestmark = pytest.mark.slow

MINUTE = 60_000
KINDS = {"deliveries#", "pending deliveries#", "delivery event#", "resend#"}
OLD_TABLE = "old"


@pytest.fixture
def endpoint(api: Api) -> Iterator[Endpoint]:
    with recording_endpoint(api) as endpoint:
        yield endpoint


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
    found = [item for item in items(stack) if any(item["id"]["S"].startswith(kind) for kind in KINDS)]
    assert {kind for kind in KINDS for item in found if item["id"]["S"].startswith(kind)} == KINDS
    return found


def items(stack: MotoStack) -> list[Any]:
    return list(client_of("dynamodb").scan(TableName=stack.resources["Table"]["Ref"])["Items"])


def pending(clock: FakeClock) -> int:
    return len(list(services.deliveries.pending(clock())))


def test_the_scan_passes_over_them(stack: MotoStack, recorded: list[Any], clock: FakeClock) -> None:
    store = DoctorStore(client_of("dynamodb"), stack.resources["Table"]["Ref"])
    others = [item for item in items(stack) if item not in recorded]
    table = boto3.resource("dynamodb").Table(stack.resources["Table"]["Ref"])
    for item in others:
        table.delete_item(Key={name: item[name]["S"] for name in ("id", "item")})
    [page] = store.read_segment(0, 1, None, clock() + 400 * 86_400_000)
    assert page.items == len(recorded)
    assert (page.unresumed, page.overdue, page.attachments, page.oldest) == ([], [], [], [])


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
    dynamodb, table = client_of("dynamodb"), stack.resources["Table"]["Ref"]
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=OLD_TABLE, UseLatestRestorableTime=True)
    stack.empty_table()
    stack.functions()["doctor"].call({})  # the new stack's has run before
    deployed = Deployed("new", boto3.Session())
    vars(deployed)["outputs"] = Outputs(TableName=table)
    try:
        copy(deployed, OLD_TABLE, say=lambda _: None)
    finally:
        dynamodb.delete_table(TableName=OLD_TABLE)
    assert [item for item in recorded if item not in items(stack)] == []
    assert pending(clock) == 1
    clock.advance(16 * MINUTE)
    assert stack.functions()["doctor"].call({})["repaired"] == 1
    assert pending(clock) == 0


@pytest.fixture(scope="module")
def functions(stack: MotoStack, tmp_path_factory: pytest.TempPathFactory) -> PreviousFunctions:
    return PreviousFunctions(stack, tmp_path_factory.mktemp("previous"))


class TestThePreviousVersion:
    @pytest.fixture
    def previous(
        self, functions: PreviousFunctions, clock: FakeClock, step_functions: FakeStepFunctions, recorded: list[Any]
    ) -> PreviousFunctions:
        functions.use(clock, step_functions_client=step_functions)
        return functions

    @pytest.fixture
    def old(self, stack: MotoStack, previous: PreviousFunctions) -> Api:
        return Api(previous.template, stack.secret("ApiKey"))

    def test_answers_503_for_an_endpoint_that_records(
        self, stack: MotoStack, endpoint: Endpoint, previous: PreviousFunctions, old: Api, recorded: list[Any]
    ) -> None:
        before = items(stack)
        with previous.in_place():
            answer = old.post(services.urls.endpoint_url(NAME, endpoint.secret_id, ""), b"{}", {})
        assert answer.status == 503
        assert items(stack) == before

    def test_passes_over_them_in_its_scan_and_keeps_what_the_doctor_knows(
        self, stack: MotoStack, clock: FakeClock, previous: PreviousFunctions, recorded: list[Any]
    ) -> None:
        clock.advance(16 * MINUTE)
        found = previous.call("doctor", {})
        assert (found["repaired"], found["unrepaired"]) == (0, 0)
        assert [item for item in recorded if item not in items(stack)] == []
        store = DoctorStore(client_of("dynamodb"), stack.resources["Table"]["Ref"])
        assert store.read_state(lambda: DoctorState(ScanCursor(1, 0), None, 0)).records_deliveries
        assert plain(client_of("dynamodb").get_item(TableName=store._table.name, Key=STATE_KEY)["Item"])["lastRun"] == clock()
        assert stack.functions()["doctor"].call({})["repaired"] == 1

    @pytest.mark.parametrize("function", ["resume_waiters", "schedule_timeouts"])
    def test_does_nothing_with_their_stream_records(
        self, stream: Stream, previous: PreviousFunctions, recorded: list[Any], function: str
    ) -> None:
        filters = previous.template.stream_filter(function)
        records = [{"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": {"NewImage": it}} for it in recorded]
        assert not any(matches(pattern, record) for pattern in filters for record in records)

    @pytest.mark.usefixtures("recorded")
    def test_gives_out_no_contents(self, endpoint: Endpoint, previous: PreviousFunctions, old: Api) -> None:
        prefix = f"deliveries/{endpoint.secret_id}/"
        found = client_of("s3").list_objects_v2(Bucket=services.outputs.bucket, Prefix=prefix)["Contents"]
        keys = [it["Key"] for it in found]
        assert len(keys) == 3
        for key in keys:
            for path in (key, key.replace("/", "%2F"), f"{key}.json", key.removeprefix("deliveries/"), f"waitpoint_1/../{key}"):
                with previous.in_place():
                    assert old.get(f"/api/v1/packets/{path}").status == 404

    @pytest.mark.usefixtures("recorded")
    def test_ignores_the_scope(self, previous: PreviousFunctions, old: Api) -> None:
        """It has no route for them: to it, the path is an endpoint's URL with a wrong hash."""
        for scopes, status in (((Scope("deliveries"),), 403), ((Scope("deliveries", "a"), Scope("read")), 200)):
            key = new_key()
            services.api_key_store.add(NamedKey(f"k{status}", digest(key), scopes, services.now()), services.now())
            with previous.in_place():
                from waitpoints.wiring import services as theirs

                vars(theirs).pop("api_key_cache", None)
                vars(theirs).pop("credentials", None)
                headers = {"authorization": f"Bearer {key}"}
                assert old.get(TOKENS, headers).status == status
                assert old.post(TOKENS, {}, headers).status == 403
                assert old.get(f"/api/v1/endpoints/{NAME}/deliveries", headers).status == 401
