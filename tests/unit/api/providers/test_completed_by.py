"""Who settled a token, as it shows it."""

import json

import pytest

from tests.support.callbacks import complete
from tests.support.in_process.api_gateway import JSON, Api
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from waitpoints.token import iso

FUNCTIONS = Template.load().functions()
FITTING = b'{"approved": true}'
IP = "192.0.2.1"
DELIVERY_IDS = [
    *("webhook-id", "svix-id", "x-github-delivery", "x-gitlab-event-uuid", "x-shopify-webhook-id", "x-hook-uuid"),
    *("x-request-uuid", "linear-delivery", "x-pagerduty-webhook-id", "request-id", "x-twilio-webhook-id"),
    *("i-twilio-idempotency-token", "x-amz-sns-message-id", "x-goog-message-number", "ce-id", "idempotency-key"),
]


class TestCompletedBy:
    def test_shows_what_a_delivery_said_of_itself(self, api: Api, world: World) -> None:
        token = api.create()
        headers = {**JSON, "user-agent": "Hookshot/1", "x-github-delivery": "d-1", "cookie": "c=1", "authorization": "Bearer x"}
        api.post(f"{token['url']}?a=1&b=%20", FITTING, headers)
        assert api.retrieve(token["id"])["completedBy"] == {
            "source": "callback",
            "at": iso(world.clock()),
            "ip": IP,
            "userAgent": "Hookshot/1",
            "contentType": "application/json",
            "query": "a=1&b=%20",
            "deliveryId": "d-1",
        }

    def test_shows_no_more_than_was_said(self, api: Api, world: World) -> None:
        token = api.create()
        api.post(token["url"], b"", {})
        assert api.retrieve(token["id"])["completedBy"] == {"source": "callback", "at": iso(world.clock()), "ip": IP}

    @pytest.mark.parametrize("name", ["user-agent", "content-type", "webhook-id"])
    @pytest.mark.parametrize(("sent", "kept"), [("ü" * 300, "ü" * 256), ("x" * 256, "x" * 256), ("a\udc00b", "a?b")])
    def test_cuts_each_text(self, api: Api, name: str, sent: str, kept: str) -> None:
        token = api.create()
        assert api.post(token["url"], b"1", {name: sent}).status == 200
        shown = {"user-agent": "userAgent", "content-type": "contentType", "webhook-id": "deliveryId"}[name]
        assert api.retrieve(token["id"])["completedBy"][shown] == kept

    def test_cuts_the_query(self, api: Api) -> None:
        token = api.create()
        api.post(f"{token['url']}?{'q' * 300}", b"1", {})
        assert api.retrieve(token["id"])["completedBy"]["query"] == "q" * 256

    @pytest.mark.parametrize("header", DELIVERY_IDS)
    def test_knows_the_header_of_each_providers_delivery_id(self, api: Api, header: str) -> None:
        token = api.create()
        api.post(token["url"], b"1", {header: "the-delivery"})
        assert api.retrieve(token["id"])["completedBy"]["deliveryId"] == "the-delivery"

    @pytest.mark.parametrize(
        "header", ["cookie", "authorization", "x-api-key", "x-gitlab-token", "proxy-authorization", "x-hook-secret"]
    )
    def test_never_holds_a_credential(self, api: Api, world: World, header: str) -> None:
        token = api.create()
        api.post(token["url"], b"1", {header: "credential of the provider!"})
        assert "credential of the provider" not in repr(world.store.tokens) + json.dumps(api.retrieve(token["id"]))

    def test_of_a_request_to_complete_names_its_source(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"data": 1})
        shown = api.retrieve(token["id"])["completedBy"]
        assert (shown["source"], shown["ip"], shown["contentType"]) == ("complete", IP, "application/json")
        assert "Bearer" not in json.dumps(shown)

    def test_of_a_timeout_names_its_instant(self, api: Api, world: World) -> None:
        token = api.create(timeout="10s")
        at = iso(world.advance(seconds=10))
        world.advance(seconds=5)
        assert api.retrieve(token["id"])["completedBy"] == {"source": "timeout", "at": at}

    def test_of_a_state_machine_names_only_its_source(self, api: Api, world: World) -> None:
        token = api.create()
        FUNCTIONS["complete_token_in_state"].call({"waitpointId": token["id"], "data": 1})
        assert api.retrieve(token["id"])["completedBy"] == {"source": "complete", "at": iso(world.clock())}
