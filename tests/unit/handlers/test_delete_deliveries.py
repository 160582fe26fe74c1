"""DELETE /api/v1/endpoints/{name}/deliveries, and of one of them (contract N32): `endpoints/deletion`."""

import json
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

import delete_deliveries
from tests.support.endpoint_routes import GITHUB
from tests.support.example_requests import record_delivery
from tests.support.github_endpoint import GITHUB as VERIFY
from tests.support.github_endpoint import GitHub
from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi import answers
from waitpoints.api.endpoints import deletion, recording
from waitpoints.endpoint import DeliveryKind
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.wiring import services

DELIVERIES = f"{GITHUB}/deliveries"
LARGE = "x" * 200_000
KEPT, COMPLETED, REPEATED = DeliveryKind.KEPT, DeliveryKind.COMPLETED, DeliveryKind.REPEATED


class Recorded(GitHub):
    def received(self, **body: Any) -> RecordedDelivery:
        return self.receive(json.dumps(body))

    def resend(self, delivery_id: str, **body: Any) -> Any:
        return self.api.ask("POST", f"{DELIVERIES}/{delivery_id}/resend", body)

    def ask_to_delete(self, delivery_id: str = "") -> HttpAnswer:
        return self.api.request("DELETE", f"{DELIVERIES}/{delivery_id}" if delivery_id else DELIVERIES)

    def delete(self, delivery: RecordedDelivery) -> None:
        answer = self.ask_to_delete(delivery.id)
        assert answer.status == 200, answer.text
        answers.DeleteDeliveryResponse.model_validate(answer.json)

    def delete_all(self) -> Any:
        answer = self.ask_to_delete()
        assert answer.status == 200, answer.text
        answers.DeleteDeliveriesResponse.model_validate(answer.json)
        return answer.json

    def ids(self) -> list[str]:
        return [row.id for row in self.rows()]

    def keeps_nothing(self) -> bool:
        marks = list(services.deliveries.pending(self.world.clock()))
        return (self.rows(), marks, self.world.store.tokens, self.world.objects) == ([], [], {}, {})


@pytest.fixture
def github(world: World, api: Api) -> Recorded:
    return Recorded(world, api, key="body.id", complete_when=None, verify=VERIFY, record_deliveries="7d")


class TestOne:
    def test_is_gone_with_its_contents_and_no_other(self, github: Recorded) -> None:
        first, second = github.received(), github.received()
        github.delete(first)
        assert github.api.get(f"{DELIVERIES}/{first.id}").status == 404
        assert services.deliveries.contents(github.endpoint.secret_id, first.id) is None
        assert github.ids() == [second.id]

    @pytest.mark.parametrize("data", [1, LARGE])
    def test_takes_the_early_completion_with_it_that_it_made(self, github: Recorded, data: Any) -> None:
        record = github.received(id=1, data=data)
        assert record.kind is KEPT
        github.delete(record)
        assert github.api.get(f"/api/v1/waitpoints/tokens/{record.token_id}").status == 404
        assert github.world.objects == {}
        created = github.api.create(idempotencyKey="github:1")
        assert (created["isCached"], github.waits(created["id"])) == (False, True)

    def test_leaves_a_completion_that_a_create_has_claimed(self, github: Recorded) -> None:
        record = github.received(id=1)
        created = github.api.create(idempotencyKey="github:1")
        github.delete(record)
        assert created["id"] == record.token_id
        assert github.api.retrieve(created["id"])["output"] == '{"id": 1}'
        assert github.api.create(idempotencyKey="github:1")["id"] == created["id"]

    @pytest.mark.parametrize("first", [True, False])
    def test_leaves_what_others_made(self, github: Recorded, first: bool) -> None:
        waiting = github.api.create(idempotencyKey="github:2")["id"]
        github.world.advance(1)
        records = [github.received(id=number) for number in (2, 2, 3, 3)]
        assert [it.kind for it in records] == [COMPLETED, REPEATED, KEPT, REPEATED]
        for record in (records[1], records[3], *([records[0]] if first else [])):
            github.delete(record)
        assert not github.waits(waiting)
        assert github.api.create(idempotencyKey="github:3")["id"] == records[2].token_id

    def test_that_is_pending_takes_what_it_kept_before_its_function_failed(self, github: Recorded) -> None:
        with patch.object(recording, "finish", return_value=None):
            record, other = github.received(id=1), github.received(id=1)
        assert (record.kind, other.kind) == (None, None)
        [early] = github.world.store.tokens
        github.delete(other)
        assert early in github.world.store.tokens, "another delivery has made it"
        github.delete(record)
        assert github.keeps_nothing()

    def test_takes_its_resends_and_theirs_with_what_they_kept(self, github: Recorded) -> None:
        record, other = github.received(), github.received()
        github.put(key="body.id || 'none'")
        kept = github.resend(record.id)
        assert kept["kind"] == "kept"
        github.resend(kept["id"], idempotencyKey="a")
        again = github.resend(record.id, idempotencyKey="b")
        last = github.resend(again["id"])
        github.delete(record)
        assert (github.ids(), github.world.store.tokens) == ([other.id], {})
        for gone in (record.id, kept["id"], again["id"], last["id"]):
            assert services.deliveries.contents(github.endpoint.secret_id, gone) is None
            assert services.deliveries.resends(github.endpoint.secret_id, gone) == []

    @pytest.mark.parametrize("first", [True, False])
    def test_takes_a_resend_that_begins_meanwhile(self, github: Recorded, first: bool) -> None:
        """Whether it is stored before the deletion or after it."""
        record, begin = github.received(), github.world.deliveries.begin

        def begin_and_delete(*arguments: Any) -> Any:
            begun = begin(*arguments) if first else None
            github.delete(record)
            return begun or begin(*arguments)

        with patch.object(github.world.deliveries, "begin", begin_and_delete):
            answer = github.api.post(f"{DELIVERIES}/{record.id}/resend", {})
        assert (answer.status, answer.json["code"], github.keeps_nothing()) == (404, "DeliveryNotFound", True)

    def test_with_too_many_resends_is_for_the_next_request(self, github: Recorded) -> None:
        record = github.received()
        github.resend(record.id)
        with patch.object(delete_deliveries, "SECONDS", 0):
            assert github.ask_to_delete(record.id).status == 503
        github.delete(record)
        assert github.keeps_nothing()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        *(("DELETE", f"/{written}", 404, "DeliveryNotFound") for written in ("delivery_" + "0" * 26, "x", "%00", "9" * 3000)),
        ("PUT", "", 405, "MethodNotAllowed"),
        ("PUT", "/delivery_" + "0" * 26, 405, "MethodNotAllowed"),
    ],
)
def test_another_request_is_refused(github: Recorded, method: str, path: str, status: int, code: str) -> None:
    github.received()
    ask = partial(github.api.request, method, DELIVERIES + path, {} if method == "PUT" else None)
    answer = is_refused(github.world, ask, status, code)
    assert status == 404 or answer.headers["allow"] == "DELETE, GET"


class TestAll:
    def record(self, github: Recorded, number: int) -> None:
        for _ in range(number):
            record_delivery(github.endpoint.secret_id, kind=DeliveryKind.NO_KEY)

    def test_are_gone_with_what_they_kept(self, github: Recorded) -> None:
        for number in range(3):
            github.received(id=number, data=LARGE)
        github.received()
        record_delivery(github.endpoint.secret_id, pending=True)
        assert github.delete_all() == {"deleted": 5, "done": True}
        assert github.keeps_nothing()
        assert github.delete_all() == {"deleted": 0, "done": True}

    def test_of_another_endpoint_stay(self, github: Recorded) -> None:
        other = record_delivery("f" * 24)
        github.received()
        assert github.delete_all()["deleted"] == 1
        assert services.deliveries.get("f" * 24, other.id) == other

    def test_that_take_too_long_are_for_the_next_request(self, github: Recorded) -> None:
        self.record(github, 5)
        with patch.object(deletion, "AT_ONCE", 2):
            with patch.object(delete_deliveries, "SECONDS", 0):
                assert github.delete_all() == {"deleted": 0, "done": False}
            assert github.delete_all() == {"deleted": 5, "done": True}

    def test_that_aws_leaves_are_for_the_next_request(self, github: Recorded) -> None:
        self.record(github, 3)
        with patch.object(github.world.deliveries, "delete_finished", return_value=0):
            assert github.delete_all() == {"deleted": 0, "done": False}
        assert github.delete_all() == {"deleted": 3, "done": True}

    def test_of_an_unknown_endpoint_is_404(self, github: Recorded) -> None:
        github.world.endpoints.delete("github")
        answer = github.ask_to_delete()
        assert (answer.status, answer.json["code"]) == (404, "EndpointNotFound")
