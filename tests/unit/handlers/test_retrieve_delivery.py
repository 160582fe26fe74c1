"""GET /api/v1/endpoints/{name}/deliveries/{deliveryId} (contract N31 and Q16): `endpoints/recorded`."""

import json
from base64 import b64decode
from typing import Any

import pytest

from tests.support.endpoint_routes import FULL, GITHUB, put, stored
from tests.support.example_requests import record_delivery
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.world import World
from tools.openapi import answers
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.recorded_delivery import RecordedDelivery

DELIVERIES = f"{GITHUB}/deliveries"
SECRET = "the-secret-that-the-provider-repeats"
LAMBDA_LIMIT = 6 * 1024 * 1024  # bytes of a response


@pytest.fixture(autouse=True)
def endpoint(api: Api, world: World) -> None:
    world.webhook_secrets["shared"] = FakeSecret(SECRET)
    put(api, {**FULL, "recordDeliveries": "7d"})


def record(world: World, body: bytes = b"{}", **row: Any) -> RecordedDelivery:
    return record_delivery(stored(world).secret_id, body, **row)


def get(api: Api, delivery: RecordedDelivery) -> Any:
    answer = api.ask("GET", f"{DELIVERIES}/{delivery.id}")
    answers.RetrievedDelivery.model_validate(answer)
    return answer


def test_shows_what_was_sent_without_secrets(api: Api) -> None:
    url = put(api, {**FULL, "recordDeliveries": "7d"})["url"]
    headers = {"X-Token": SECRET, "Authorization": "Basic c2VjcmV0", "X-GitHub-Delivery": "e-1", "content-type": "text/plain"}
    assert api.post(f"{url}?a=1&token=s", "größe", headers).status == 200
    [listed] = api.get(DELIVERIES).json["data"]
    found = api.get(f"{DELIVERIES}/{listed['id'].removeprefix('delivery_')}").json
    sent = {name: found.pop(name) for name in ("headers", "query", "body")}
    assert found == listed
    assert (sent["query"], sent["body"], found["deliveryId"], found["size"]) == ("a=1", "größe", "e-1", 7)
    assert sent["headers"]["content-type"] == "text/plain"
    assert {"x-token", "authorization"}.isdisjoint(sent["headers"])
    assert SECRET not in json.dumps(sent)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\x00\xc3", b'"' * PAYLOAD_LIMIT, b"\x00" * PAYLOAD_LIMIT])
def test_a_body_that_is_no_text_or_too_large_for_a_response_is_base64(api: Api, world: World, body: bytes) -> None:
    delivery = record(world, body)
    answer = api.get(f"{DELIVERIES}/{delivery.id}")
    assert b64decode(answer.json["bodyBase64"]) == body
    assert "body" not in answer.json
    assert len(json.dumps(answer.text)) < LAMBDA_LIMIT


@pytest.mark.parametrize("body", [b"", "\ufeff{}".encode(), b"x" * PAYLOAD_LIMIT, "é".encode() * (PAYLOAD_LIMIT // 2)])
def test_a_text_is_shown_as_it_was_sent(api: Api, world: World, body: bytes) -> None:
    answer = api.get(f"{DELIVERIES}/{record(world, body).id}")
    assert answer.json["body"].encode() == body
    assert len(json.dumps(answer.text, ensure_ascii=False).encode()) < LAMBDA_LIMIT


def test_without_contents_it_has_the_row(api: Api, world: World) -> None:
    delivery = record(world)
    world.deliveries.lose_contents()
    assert get(api, delivery) == api.get(DELIVERIES).json["data"][0]


def test_one_that_has_expired_is_404(api: Api, world: World) -> None:
    delivery = record(world, expires_at=world.clock() // 1000 + 5)
    assert get(api, delivery)["id"] == delivery.id
    world.advance(seconds=5)
    assert api.get(f"{DELIVERIES}/{delivery.id}").status == 404


class TestAKeyOfATag:
    """The endpoint has the tag team-a."""

    def test_reads_those_of_endpoints_with_the_tag(self, api: Api, world: World) -> None:
        delivery = record(world)
        paths = [DELIVERIES, f"{DELIVERIES}/{delivery.id}"]
        for scopes, status in ((["deliveries:team-a"], 200), (["deliveries:team-b"], 403), (["endpoints", "read"], 403)):
            holder = world.holder(*scopes, name=f"key-{status}-{len(scopes)}")
            answered = [api.get(path, holder) for path in paths]
            assert [it.status for it in answered] == [status, status], scopes
            if status == 403:
                assert all("lacks the scope deliveries" in it.error for it in answered)

    def test_reads_those_of_no_endpoint_without_it(self, api: Api, world: World) -> None:
        put(api, {**{name: value for name, value in FULL.items() if name != "tag"}, "recordDeliveries": "7d"})
        answer = api.get(DELIVERIES, world.holder("deliveries:team-a"))
        assert (answer.status, answer.error) == (
            403,
            "This key lacks the scope deliveries for this endpoint: it has deliveries:team-a",
        )
