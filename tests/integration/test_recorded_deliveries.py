"""Recorded deliveries over HTTP, with the table and the bucket on moto: what requests cost, and what deletion leaves."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import batched
from math import ceil
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import boto3
import pytest

import delete_deliveries
from tests.support import figures
from tests.support.example_requests import EXAMPLE_SECRET_ID, put_example_endpoint, record_delivery
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.counting.meter import item_size
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.races import race
from tests.support.recorded_endpoint import deliver
from tools.openapi.operations import ENDPOINTS
from waitpoints.api.endpoints import deletion
from waitpoints.aws.delivery_store import SHARDS, _attributes, _row_key
from waitpoints.aws.items import wire
from waitpoints.aws.table import TOGETHER
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.recorded_delivery import RecordedDelivery, new_delivery_id
from waitpoints.token import CompletedBy, IdempotencyKey, Source
from waitpoints.wiring import services

pytestmark = pytest.mark.slow

DELIVERIES = f"{ENDPOINTS}/github/deliveries"
MINUTE = 60_000
RARE = DeliveryKind.NO_KEY
EXAMINED = 3_600  # rows that a request reads at most


class Calls:
    """The calls to AWS, and the rows that queries examined."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.examined: list[int] = []

    def _note(self, parsed: Any, model: Any, **_: Any) -> None:
        self.count[model.name] += 1
        if model.name == "Query":
            self.examined.append(parsed["ScannedCount"])

    def read_units(self, row_bytes: int) -> float:
        """Of the queries, which are eventually consistent: of each 4 KB half a unit."""
        return sum(max(1, ceil(rows * row_bytes / 4096)) / 2 for rows in self.examined)


@contextmanager
def counted() -> Iterator[Calls]:
    calls, clients = Calls(), (services.dynamodb_client, services.s3_client)
    for client in clients:
        client.meta.events.register("after-call", calls._note)
    try:
        yield calls
    finally:
        for client in clients:
            client.meta.events.unregister("after-call", calls._note)


def store_rows(stack: MotoStack, rows: list[RecordedDelivery]) -> int:
    """Store rows without contents. Returns the bytes of the largest."""
    items: list[Any] = [
        _row_key(EXAMPLE_SECRET_ID, row.id) | {name: wire(value) for name, value in _attributes(row).items()} for row in rows
    ]
    table = stack.table
    for some in batched(items, TOGETHER, strict=False):
        client_of("dynamodb").batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in some]})
    return max(map(item_size, items))


def walk(api: Api, query: dict[str, Any]) -> tuple[list[str], list[Calls]]:
    """Follow the cursors. Returns the ids, and the calls of each request."""
    found: list[str] = []
    requests: list[Calls] = []
    cursor: str | None = ""
    while cursor is not None:
        with counted() as calls:
            answer = api.get(f"{DELIVERIES}?{urlencode({**query, 'page[after]': cursor})}").json
        found += [it["id"] for it in answer["data"]]
        requests.append(calls)
        cursor = answer["pagination"].get("next")
    return found, requests


class TestTenThousand:
    @pytest.mark.parametrize("many", [1_000, pytest.param(10_000, marks=pytest.mark.thorough)])
    def test_are_listed_filtered_and_deleted_with_a_bound_for_each_request(
        self, api: Api, stack: MotoStack, monkeypatch: pytest.MonkeyPatch, many: int
    ) -> None:
        put_example_endpoint()
        assert api.request("DELETE", DELIVERIES).json == {"deleted": 1, "done": True}
        rows = [row(number) for number in range(many)]
        row_bytes = store_rows(stack, rows)

        page = api.get(DELIVERIES)  # warm
        assert [it["id"] for it in page.json["data"]] == [it.id for it in rows[:25]]
        for name, (query, ids) in filters(rows).items():
            found, requests = walk(api, query)
            assert found == ids, name
            for calls in requests:
                assert calls.count["GetItem"] == 1, "the endpoint"
                assert calls.count["Query"] <= 2 * SHARDS
                assert calls.count.total() <= 2 * SHARDS + 1
                assert sum(calls.examined) <= EXAMINED
            worst = max(requests, key=lambda calls: calls.read_units(row_bytes))
            figures.show(
                f"{many:,} recorded deliveries of {row_bytes} bytes, by {name}: {len(requests)} requests, at most "
                f"{worst.count.total()} calls and {worst.read_units(row_bytes):g} read units each"
            )

        monkeypatch.setattr(delete_deliveries, "SECONDS", 600)  # moto is slow
        with counted() as calls:
            assert api.request("DELETE", DELIVERIES).json == {"deleted": many, "done": True}
        assert api.get(DELIVERIES).json == {"data": [], "pagination": {}}
        batches = SHARDS * (2 + ceil(1.3 * many / SHARDS / deletion.AT_ONCE))  # the shards are of about the same size
        assert calls.count["Query"] <= batches
        assert calls.count["DeleteObjects"] <= batches
        assert calls.count["BatchWriteItem"] <= many / TOGETHER + batches
        assert calls.count["DeleteItem"] == calls.count["TransactWriteItems"] == 0, "none was pending or kept"
        figures.show(f"{many:,} deleted by one request: {dict(sorted(calls.count.items()))}")


def filters(rows: list[RecordedDelivery]) -> dict[str, tuple[dict[str, str], list[str]]]:
    """Queries, and the ids that they find."""
    middle, oldest, few = rows[len(rows) // 2], rows[-1], rows[:61]
    some = rows[len(rows) // 2 : len(rows) // 2 + 250]
    between = {"filter[createdAt][from]": str(some[-1].at), "filter[createdAt][to]": str(some[0].at), "page[size]": "100"}
    return {
        "a rare kind": ({"filter[kind]": RARE}, [it.id for it in rows if it.kind is RARE]),
        "a key": ({"filter[key]": str(oldest.key)}, [oldest.id]),
        "an event id": ({"filter[deliveryId]": str(middle.delivery_id)}, [middle.id]),
        "an hour": ({"filter[createdAt][from]": str(few[-1].at)}, [it.id for it in few]),
        "four hours, in pages of 100": (between, [it.id for it in some]),
    }


def row(number: int) -> RecordedDelivery:
    """The delivery that came this many minutes ago."""
    at = services.now() - number * MINUTE
    return RecordedDelivery(
        id=new_delivery_id(at),
        at=at,
        size=1200,
        expires_at=services.now() // 1000 + 86_400,
        kind=RARE if number % 400 == 399 else DeliveryKind.NOT_MATCHING,
        key=f"github:{number}",
        detail="the result of completeWhen is null, false or empty",
        delivery_id=f"event-{number}",
        ip="192.0.2.17",
        user_agent="GitHub-Hookshot/044aadd",
    )


def keep(key: str, text: str = "1", record: str | None = None) -> RecordedDelivery:
    """Record a delivery that was kept for a create request, and return it."""
    delivery_id = record or new_delivery_id(services.now())
    by = CompletedBy(source=Source.ENDPOINT, record=delivery_id)
    completion = services.completions_by_key.complete(IdempotencyKey(key, services.now() + 3_600_000), text, by)
    assert completion.is_early
    return record_delivery(EXAMPLE_SECRET_ID, id=delivery_id, kind=DeliveryKind.KEPT, key=key, token_id=completion.token_id)


def objects(stack: MotoStack) -> list[str]:
    return list(stack.objects())


def items_about(stack: MotoStack, *prefixes: str) -> list[str]:
    return [it["id"]["S"] for it in stack.every_item() if it["id"]["S"].startswith(prefixes)]


OF_A_DELIVERY = ("deliveries#", "pending deliveries#", "waitpoint_", "idempotency#")


@pytest.fixture
def example(api: Api, empty_bucket: None) -> None:
    put_example_endpoint()
    api.request("DELETE", DELIVERIES)


@pytest.fixture
def empty_bucket(stack: MotoStack) -> None:
    stack.empty_bucket()


@pytest.mark.usefixtures("example")
class TestDelete:
    def test_leaves_nothing_in_the_table_and_the_bucket(self, api: Api, stack: MotoStack) -> None:
        one = keep("github:1", '"' + "x" * 200_000 + '"')
        assert len(objects(stack)) == 2
        assert api.request("DELETE", f"{DELIVERIES}/{one.id}").status == 200
        assert (objects(stack), items_about(stack, *OF_A_DELIVERY)) == ([], [])

        for number in range(3):
            keep(f"github:{number}", '"' + "x" * 200_000 + '"')
            record_delivery(EXAMPLE_SECRET_ID, pending=True)
            record_delivery(EXAMPLE_SECRET_ID)
        assert api.request("DELETE", DELIVERIES).json == {"deleted": 9, "done": True}
        assert (objects(stack), items_about(stack, *OF_A_DELIVERY)) == ([], [])

    @pytest.mark.parametrize("turn", range(10))
    def test_against_a_create_the_token_is_claimed_whole_or_made_anew(self, api: Api, turn: int) -> None:
        """The completion that a create request returns is never lost under it."""
        one = keep(f"github:race-{turn}", '"' + "x" * 200_000 + '"')
        delete = partial(api.request, "DELETE", f"{DELIVERIES}/{one.id}")
        create = partial(api.post, TOKENS, {"idempotencyKey": f"github:race-{turn}"})
        deleted, created = race([delete, create])
        assert (deleted.status, created.status) == (200, 200), (deleted.text, created.text)
        shown = api.retrieve(created.json["id"])
        if created.json["id"] == one.token_id:
            assert (shown["status"], len(shown["output"])) == ("COMPLETED", 200_002)
        else:
            assert shown["status"] == "WAITING"
            assert api.get(f"{TOKENS}/{one.token_id}").status == 404
        assert api.create(idempotencyKey=f"github:race-{turn}")["id"] == created.json["id"]

    def test_takes_what_was_counted_of_repeats(self, api: Api, stack: MotoStack) -> None:
        one = keep("github:1")
        assert one.token_id is not None
        outcome = services.store.get(one.token_id).outcome
        services.tokens.count_delivery(one.token_id, outcome, CompletedBy(source=Source.ENDPOINT, ip="192.0.2.1"))
        assert api.request("DELETE", f"{DELIVERIES}/{one.id}").status == 200
        assert items_about(stack, *OF_A_DELIVERY) == []

    def test_that_fails_half_way_is_whole_when_it_is_repeated(self, api: Api, stack: MotoStack) -> None:
        for failing in ("dynamodb.TransactWriteItems", "dynamodb.DeleteItem", "s3.DeleteObject"):
            one = keep(f"github:{failing}", '"' + "x" * 200_000 + '"')
            client = services.s3_client if failing.startswith("s3") else services.dynamodb_client
            client.meta.events.register_first(f"before-call.{failing}", _fail)
            try:
                assert api.request("DELETE", f"{DELIVERIES}/{one.id}").status == 503
            finally:
                client.meta.events.unregister(f"before-call.{failing}", _fail)
            assert api.request("DELETE", f"{DELIVERIES}/{one.id}").status == 200
            assert (objects(stack), items_about(stack, *OF_A_DELIVERY)) == ([], []), failing

    def test_of_an_object_that_s3_keeps_leaves_its_row_for_the_next_request(self, api: Api) -> None:
        ones = [record_delivery(EXAMPLE_SECRET_ID) for _ in range(3)]
        kept = f"deliveries/{EXAMPLE_SECRET_ID}/{ones[0].id.removeprefix('delivery_')}"
        delete_objects = services.s3_client.delete_objects

        def refuse_one(Bucket: str, Delete: Any) -> Any:
            rest = [it for it in Delete["Objects"] if it["Key"] != kept]
            if rest:
                delete_objects(Bucket=Bucket, Delete={**Delete, "Objects": rest})
            return {"Errors": [{"Key": kept, "Code": "InternalError"}] if len(rest) < len(Delete["Objects"]) else []}

        with mock.patch.object(services.s3_client, "delete_objects", refuse_one):
            assert api.request("DELETE", DELIVERIES).json == {"deleted": 2, "done": False}
        assert [it["id"] for it in api.get(DELIVERIES).json["data"]] == [ones[0].id]
        assert api.request("DELETE", DELIVERIES).json == {"deleted": 1, "done": True}

    def test_twice_at_once_is_once(self, api: Api, stack: MotoStack) -> None:
        one = keep("github:1")
        answers = race([partial(api.request, "DELETE", f"{DELIVERIES}/{one.id}")] * 4)
        assert {200} <= {answer.status for answer in answers} <= {200, 404}
        assert items_about(stack, *OF_A_DELIVERY) == []


OF_RECORDS = ("deliveries#", "pending deliveries#", "delivery event#", "resend#")


@pytest.mark.usefixtures("empty_bucket")
class TestWhatHasEnded:
    """It goes by the doctor alone, without another call."""

    @pytest.fixture
    def doctor(self, stack: MotoStack) -> Any:
        return stack.functions()["doctor"]

    def scan_all(self, doctor: Any) -> None:
        assert "next" not in doctor.call({"command": "scanAll"})

    def test_a_body_goes_with_its_row(
        self, api: Api, stack: MotoStack, clock: FakeClock, endpoint: Endpoint, doctor: Any
    ) -> None:
        services.endpoints.put(replace(endpoint, record_deliveries="1h"))
        clock.advance(MINUTE)
        deliver(api, endpoint, {"id": 1}, "event-1")
        services.endpoints.put(endpoint)
        clock.advance(MINUTE)
        deliver(api, endpoint, {"id": 2}, "event-2")
        path = f"{ENDPOINTS}/{endpoint.name}/deliveries"
        last, first = (it["id"] for it in api.get(path).json["data"])
        clock.advance(58 * MINUTE)
        self.scan_all(doctor)
        assert (len(objects(stack)), len(api.get(path).json["data"])) == (2, 2)

        clock.advance(2 * MINUTE)
        assert [it["id"] for it in api.get(path).json["data"]] == [last], "it is not shown any more"
        assert api.get(f"{path}/{first}").status == 404
        assert len(objects(stack)) == 2
        clock.advance(MINUTE)
        self.scan_all(doctor)
        assert [key.split("/")[-1] for key in objects(stack)] == [last.removeprefix("delivery_")]
        assert len(items_about(stack, "deliveries#")) == 1
        for number in (1, 2):
            assert api.retrieve(api.create(idempotencyKey=f"{endpoint.name}:{number}")["id"])["status"] == "COMPLETED"

    def test_a_deleted_endpoints_records_bodies_hashes_and_resends_go_within_two_days(
        self, api: Api, stack: MotoStack, clock: FakeClock, endpoint: Endpoint, doctor: Any
    ) -> None:
        """Also what a function that still knows the endpoint records. What was kept for a create request stays."""
        path = f"{ENDPOINTS}/{endpoint.name}/deliveries"
        deliver(api, endpoint, {"id": 1}, "event-1")
        with mock.patch("waitpoints.api.endpoints.recording.finish"):
            deliver(api, endpoint, {"id": 2}, "event-2")
        for body in ({}, {"idempotencyKey": "again"}):
            assert api.post(f"{path}/{api.get(path).json['data'][-1]['id']}/resend", body).status == 200
        assert (len(objects(stack)), len(items_about(stack, *OF_RECORDS))) == (4, 4 + 1 + 2 + 2)
        assert api.request("DELETE", f"{ENDPOINTS}/{endpoint.name}").status == 200
        with mock.patch.object(services.endpoint_cache, "find", return_value=endpoint):
            assert deliver(api, endpoint, {"id": 3}, "event-3").status == 200

        verify = {"scheme": "github", "secret": endpoint.name}
        api.put_endpoint(endpoint.name, verify=verify, recordDeliveries="7d")
        again = services.endpoints.get(endpoint.name)
        assert again is not None
        deliver(api, again, {"id": 4}, "event-1")
        for _ in range(2 * 24):
            clock.advance(60 * MINUTE)
            doctor.call({})
        assert [key.split("/")[1] for key in objects(stack)] == [again.secret_id]
        assert {endpoint.secret_id in it for it in items_about(stack, *OF_RECORDS)} == {False}
        assert len(items_about(stack, *OF_RECORDS)) == 2
        assert len(items_about(stack, "idempotency#")) == 4

    @pytest.mark.parametrize("failing", ["dynamodb.BatchWriteItem", "s3.DeleteObjects", "dynamodb.Query"])
    def test_a_failure_is_reported_and_made_good_by_the_next_scan(
        self, api: Api, stack: MotoStack, clock: FakeClock, endpoint: Endpoint, doctor: Any, failing: str
    ) -> None:
        deliver(api, endpoint, {"id": 1}, "event-1")
        clock.advance(2 * MINUTE)
        services.endpoints.delete(endpoint.name)
        client = services.s3_client if failing.startswith("s3") else services.dynamodb_client

        def fail(params: Any, **_: Any) -> None:
            if "Query" not in failing or '"endpoints"' in str(params["body"]):
                _fail()

        client.meta.events.register_first(f"before-call.{failing}", fail)
        try:
            with pytest.raises(Exception, match="Could not connect"):
                doctor.call({"command": "scanAll"})
        finally:
            client.meta.events.unregister(f"before-call.{failing}", fail)
        assert len(items_about(stack, "deliveries#")) == 1, "the row names its contents"
        self.scan_all(doctor)
        assert (objects(stack), items_about(stack, *OF_RECORDS)) == ([], [])

    def test_an_object_that_s3_keeps_keeps_its_row(
        self, api: Api, stack: MotoStack, clock: FakeClock, endpoint: Endpoint, doctor: Any
    ) -> None:
        deliver(api, endpoint, {"id": 1}, "event-1")
        clock.advance(2 * MINUTE)
        services.endpoints.delete(endpoint.name)
        refused = {"Errors": [{"Key": key, "Code": "InternalError"} for key in objects(stack)]}
        with mock.patch.object(services.s3_client, "delete_objects", return_value=refused):
            self.scan_all(doctor)
        assert items_about(stack, *OF_RECORDS) == [f"deliveries#{endpoint.secret_id}#{row_shard(stack)}"]
        self.scan_all(doctor)
        assert (objects(stack), items_about(stack, *OF_RECORDS)) == ([], [])

    def test_a_row_of_0_4_0_goes_too(
        self, api: Api, stack: MotoStack, clock: FakeClock, endpoint: Endpoint, doctor: Any
    ) -> None:
        """It has no `endsAt`. TTL may delete it before the scan, which leaves its body to the bucket's rule."""
        deliver(api, endpoint, {"id": 1}, "event-1")
        table = boto3.resource("dynamodb").Table(stack.table)
        [row] = [it for it in table.scan()["Items"] if it["id"].startswith("deliveries#")]
        table.put_item(Item={**{name: value for name, value in row.items() if name != "endsAt"}, "expiresAt": row["endsAt"]})
        path = f"{ENDPOINTS}/{endpoint.name}/deliveries"
        clock.advance(7 * 24 * 60 * MINUTE)
        assert len(api.get(path).json["data"]) == 1
        clock.advance(2 * MINUTE)
        assert api.get(path).json["data"] == []
        self.scan_all(doctor)
        assert (objects(stack), items_about(stack, "deliveries#")) == ([], [])

    @pytest.mark.usefixtures("api")
    def test_a_stack_that_records_nothing_makes_no_call(self, clock: FakeClock, doctor: Any, stack: MotoStack) -> None:
        stack.empty_table()
        put_example_endpoint(records=False)
        clock.advance(2 * MINUTE)
        with counted() as calls:
            self.scan_all(doctor)
        assert (calls.count["Scan"], calls.count["Query"], calls.count["BatchWriteItem"]) == (1, 1, 0), "the marks"
        assert calls.count["DeleteObjects"] == 0


def row_shard(stack: MotoStack) -> str:
    [row] = items_about(stack, "deliveries#")
    return row.split("#")[2]


def _fail(**_: Any) -> None:
    from botocore.exceptions import EndpointConnectionError

    raise EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com/")


def test_a_delivery_that_is_recorded_is_listed_with_its_own_endpoint_alone(api: Api) -> None:
    put_example_endpoint()
    [listed] = api.get(DELIVERIES).json["data"]
    services.endpoints.put(replace(put_example_endpoint(), name="other", secret_id="f" * 24))
    assert api.get(f"{ENDPOINTS}/other/deliveries").json["data"] == []
    assert api.get(f"{ENDPOINTS}/other/deliveries/{listed['id']}").status == 404
