"""Who settled a token, as it shows it."""

import json
from typing import Any

import pytest

from tests.support.callbacks import complete
from tests.support.in_process import api_gateway
from tests.support.in_process.api_gateway import JSON, Api, http_event
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from waitpoints.token import iso

FUNCTIONS = Template.load().functions()
FITTING = b'{"approved": true}'
IP = "192.0.2.1"
CERTIFIED = {"clientCert": {"subjectDN": "CN=CloudFront"}}
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


class TestTheViewersAddress:
    """CloudFront writes "198.51.100.10:46532", of an IPv6 address without brackets.

    docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html; API Gateway gives the certificate
    in `authentication`: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """

    @staticmethod
    def shown(api: Api, monkeypatch: pytest.MonkeyPatch, said: str | None, switch: str, authentication: Any) -> set[str]:
        """The addresses of the delivery that completes a token, and of the next one."""

        def event(*request: Any) -> dict[str, Any]:
            made = http_event(*request)
            made["requestContext"]["authentication"] = authentication
            return made

        monkeypatch.setattr(api_gateway, "http_event", event)
        monkeypatch.setenv("BEHIND_CLOUDFRONT", switch)
        token = api.create()
        for _ in range(2):
            assert api.post(token["url"], b"1", {} if said is None else {"CloudFront-Viewer-Address": said}).status == 200
        shown = api.retrieve(token["id"])
        return {shown["completedBy"]["ip"], shown["otherDeliveries"]["lastIp"]}

    @pytest.mark.parametrize(
        ("said", "ip"),
        [
            ("198.51.100.10:46532", "198.51.100.10"),
            ("2001:db8::7:46532", "2001:db8::7"),
            ("2001:0DB8:0:0:0:0:0:7:443", "2001:db8::7"),
            *[
                (it, IP)
                for it in (None, "", ":", "198.51.100.10", "198.51.100.10:", "198.51.100.10:x", "x:1", "2001:db8::zz:1")
            ],
            *[(it, IP) for it in ("198.51.100.10:1,203.0.113.9:2", "198.51.100.300:1", "<b>:1", "9" * 9000 + ":1")],
        ],
    )
    def test_is_the_one_that_cloudfront_names(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, said: str | None, ip: str
    ) -> None:
        assert self.shown(api, monkeypatch, said, "on", CERTIFIED) == {ip}

    @pytest.mark.parametrize(
        ("switch", "authentication"),
        [("on", None), ("on", {}), ("on", {"clientCert": None}), ("", CERTIFIED), ("off", CERTIFIED)],
    )
    def test_is_believed_only_with_the_parameter_and_a_certificate(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, switch: str, authentication: Any
    ) -> None:
        assert self.shown(api, monkeypatch, "198.51.100.10:46532", switch, authentication) == {IP}
