"""DELETE /api/v1/endpoints/{name}/deliveries, and of one of them (contract N32): `endpoints/deletion`."""

import json
from typing import Any

import pytest

import delete_deliveries
from tests.support.endpoint_routes import GITHUB, put, stored
from tests.support.example_requests import record_delivery
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret
from tools.openapi import answers
from waitpoints.api.endpoints import deletion, recording
from waitpoints.endpoint import DeliveryKind

DELIVERIES = f"{GITHUB}/deliveries"
SECRET = "the-secret-that-the-provider-repeats"
SETTINGS = {
    "key": "body.id",
    "verify": {"scheme": "token", "secret": "shared", "header": "X-Token"},
    "recordDeliveries": "7d",
}
LARGE = "x" * 200_000


@pytest.fixture
def url(api: Api, world: InMemory) -> str:
    world.webhook_secrets["shared"] = FakeSecret(SECRET)
    return str(put(api, SETTINGS)["url"])


def deliver(api: Api, url: str, **body: Any) -> Any:
    """Send a delivery. Returns its record."""
    before = [it["id"] for it in api.get(DELIVERIES).json["data"]]
    answer = api.post(url, json.dumps(body), {"x-token": SECRET, "content-type": "application/json"})
    assert answer.status == 200, answer.text
    [record] = [it for it in api.get(DELIVERIES).json["data"] if it["id"] not in before]
    return record


def resend(api: Api, record: Any, **body: Any) -> Any:
    answer = api.post(f"{DELIVERIES}/{record['id']}/resend", body)
    assert answer.status == 200, answer.text
    return answer.json


def delete(api: Api, record: Any) -> None:
    answer = api.request("DELETE", f"{DELIVERIES}/{record['id']}")
    assert answer.status == 200, answer.text
    answers.DeleteDeliveryResponse.model_validate(answer.json)


def delete_all(api: Api) -> Any:
    answer = api.request("DELETE", DELIVERIES)
    assert answer.status == 200, answer.text
    answers.DeleteDeliveriesResponse.model_validate(answer.json)
    return answer.json


class TestOne:
    def test_is_gone_with_its_contents_and_no_other(self, api: Api, world: InMemory, url: str) -> None:
        first, second = deliver(api, url), deliver(api, url)
        delete(api, first)
        assert api.get(f"{DELIVERIES}/{first['id']}").status == 404
        assert world.deliveries.contents(stored(world).secret_id, first["id"]) is None
        assert [it["id"] for it in api.get(DELIVERIES).json["data"]] == [second["id"]]

    @pytest.mark.parametrize("data", [1, LARGE])
    def test_takes_the_early_completion_with_it_that_it_made(self, api: Api, world: InMemory, url: str, data: Any) -> None:
        record = deliver(api, url, id=1, data=data)
        assert record["kind"] == "kept"
        delete(api, record)
        assert api.get(f"/api/v1/waitpoints/tokens/{record['tokenId']}").status == 404
        assert world.bucket.objects == {}
        created = api.create(idempotencyKey="github:1")
        assert (created["isCached"], api.retrieve(created["id"])["status"]) == (False, "WAITING")

    def test_leaves_a_completion_that_a_create_has_claimed(self, api: Api, url: str) -> None:
        record = deliver(api, url, id=1)
        created = api.create(idempotencyKey="github:1")
        delete(api, record)
        assert created["id"] == record["tokenId"]
        assert api.retrieve(created["id"])["output"] == '{"id": 1}'
        assert api.create(idempotencyKey="github:1")["id"] == created["id"]

    @pytest.mark.parametrize("first", [True, False])
    def test_leaves_what_others_made(self, api: Api, url: str, first: bool) -> None:
        waiting = api.create(idempotencyKey="github:2")["id"]
        records = [deliver(api, url, id=2), deliver(api, url, id=2), deliver(api, url, id=3), deliver(api, url, id=3)]
        assert [it["kind"] for it in records] == ["completed", "repeated", "kept", "repeated"]
        for record in (records[1], records[3], *([records[0]] if first else [])):
            delete(api, record)
        assert api.retrieve(waiting)["status"] == "COMPLETED"
        assert api.create(idempotencyKey="github:3")["id"] == records[2]["tokenId"]

    def test_that_is_pending_takes_what_it_kept_before_its_function_failed(
        self, api: Api, world: InMemory, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as failing:
            failing.setattr(recording, "finish", lambda *_: None)
            record = deliver(api, url, id=1)
            other = deliver(api, url, id=1)
        assert (record["kind"], other["kind"]) == ("pending", "pending")
        [early] = world.store.tokens
        delete(api, other)
        assert early in world.store.tokens, "another delivery has made it"
        delete(api, record)
        assert (world.store.tokens, list(world.deliveries.pending(world.clock()))) == ({}, [])

    def test_takes_its_resends_and_theirs_with_what_they_kept(self, api: Api, world: InMemory, url: str) -> None:
        record, other = deliver(api, url), deliver(api, url)
        put(api, {**SETTINGS, "key": "body.id || 'none'"})
        kept = resend(api, record)
        assert kept["kind"] == "kept"
        resend(api, kept, idempotencyKey="a")
        resend(api, resend(api, record, idempotencyKey="b"))
        delete(api, record)
        assert [it["id"] for it in api.get(DELIVERIES).json["data"]] == [other["id"]]
        assert len(world.deliveries._contents) == 1
        assert (world.store.tokens, world.deliveries._links) == ({}, {})

    @pytest.mark.parametrize("first", [True, False])
    def test_takes_a_resend_that_begins_meanwhile(
        self, api: Api, world: InMemory, url: str, monkeypatch: pytest.MonkeyPatch, first: bool
    ) -> None:
        """Whether it is stored before the deletion or after it."""
        record, begin = deliver(api, url), world.deliveries.begin

        def begin_and_delete(*arguments: Any) -> Any:
            begun = begin(*arguments) if first else None
            delete(api, record)
            return begun or begin(*arguments)

        with monkeypatch.context() as racing:
            racing.setattr(world.deliveries, "begin", begin_and_delete)
            answer = api.post(f"{DELIVERIES}/{record['id']}/resend", {})
        assert (answer.status, answer.json["code"]) == (404, "DeliveryNotFound")
        assert (world.deliveries._rows, world.deliveries._contents, world.deliveries._marks) == ({}, {}, {})

    def test_with_too_many_resends_is_for_the_next_request(
        self, api: Api, world: InMemory, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = deliver(api, url)
        resend(api, record)
        monkeypatch.setattr(delete_deliveries, "SECONDS", 0)
        assert api.request("DELETE", f"{DELIVERIES}/{record['id']}").status == 503
        monkeypatch.setattr(delete_deliveries, "SECONDS", 20)
        delete(api, record)
        assert world.deliveries._rows == {}

    @pytest.mark.parametrize("written", ["delivery_01jd3rj5v0000000000000000b", "x", "%00", "9" * 3000])
    def test_that_is_unknown_is_404(self, api: Api, url: str, written: str) -> None:
        record = deliver(api, url)
        answer = api.request("DELETE", f"{DELIVERIES}/{written}")
        assert (answer.status, answer.json["code"]) == (404, "DeliveryNotFound")
        delete(api, record)
        assert api.request("DELETE", f"{DELIVERIES}/{record['id']}").status == 404


class TestAll:
    def test_are_gone_with_what_they_kept(self, api: Api, world: InMemory, url: str) -> None:
        for number in range(3):
            deliver(api, url, id=number, data=LARGE)
        deliver(api, url)
        record_delivery(stored(world).secret_id, pending=True)
        assert delete_all(api) == {"deleted": 5, "done": True}
        assert (api.get(DELIVERIES).json["data"], world.store.tokens, world.bucket.objects) == ([], {}, {})
        assert delete_all(api) == {"deleted": 0, "done": True}

    def test_of_another_endpoint_stay(self, api: Api, world: InMemory, url: str) -> None:
        other = record_delivery("f" * 24)
        deliver(api, url)
        assert delete_all(api)["deleted"] == 1
        assert world.deliveries.get("f" * 24, other.id) == other

    def test_that_take_too_long_are_for_the_next_request(
        self, api: Api, world: InMemory, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(5):
            record_delivery(stored(world).secret_id)
        monkeypatch.setattr(deletion, "AT_ONCE", 2)
        monkeypatch.setattr(delete_deliveries, "SECONDS", 0)
        assert delete_all(api) == {"deleted": 0, "done": False}
        monkeypatch.setattr(delete_deliveries, "SECONDS", 20)
        assert delete_all(api) == {"deleted": 5, "done": True}

    def test_that_aws_leaves_are_for_the_next_request(
        self, api: Api, world: InMemory, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(3):
            record_delivery(stored(world).secret_id, kind=DeliveryKind.NO_KEY)
        with monkeypatch.context() as throttled:
            throttled.setattr(world.deliveries, "delete_finished", lambda *_: 0)
            assert delete_all(api) == {"deleted": 0, "done": False}
        assert delete_all(api) == {"deleted": 3, "done": True}

    def test_of_an_unknown_endpoint_is_404(self, api: Api) -> None:
        answer = api.request("DELETE", DELIVERIES)
        assert (answer.status, answer.json["code"]) == (404, "EndpointNotFound")


def test_another_method_is_405_and_names_those_of_the_path(api: Api, url: str) -> None:
    record = deliver(api, url)
    for path in (DELIVERIES, f"{DELIVERIES}/{record['id']}"):
        answer = api.request("PUT", path, {})
        assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET")
