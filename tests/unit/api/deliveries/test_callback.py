"""What becomes of a delivery to a callback URL: the order of its checks, and deliveries that settle nothing."""

import json
import string
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.support import webhook_signer
from tests.support.callbacks import assert_untouched, complete, signed
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import Api, http_event
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Template
from waitpoints.api.deliveries import callback_body
from waitpoints.token import iso

FUNCTIONS = Template.load().functions()
JSON = {"content-type": "application/json"}
SCHEMA = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
FITTING, UNFITTING = b'{"approved": true}', b'{"approved": "secret-text"}'
IP = "192.0.2.1"


class TestOtherDeliveries:
    def test_are_absent_until_there_is_one(self, api: Api) -> None:
        token = api.create()
        api.post(token["url"], b"1", JSON)
        assert "otherDeliveries" not in api.retrieve(token["id"])

    @pytest.mark.parametrize("end", ["callback", "complete", "fail", "timeout"])
    def test_are_those_that_come_after_the_end(self, api: Api, world: InMemory, end: str) -> None:
        token = api.create(timeout="1h")
        match end:
            case "callback":
                api.post(token["url"], b"1", JSON)
            case "complete":
                complete(api, token, {"data": 1})
            case "fail":
                complete(api, token, {"error": {"message": "no"}})
            case _:
                world.clock.advance(seconds=3600)
        before = api.retrieve(token["id"])
        world.clock.advance(seconds=1)
        for number in (1, 2):
            answer = api.post(token["url"], b"2", {**JSON, "webhook-id": f"late-{number}"})
            assert (answer.status, answer.json) == (200, {"success": True})
        others = {"count": 2, "lastAt": iso(world.clock()), "lastIp": IP, "lastDeliveryId": "late-2"}
        assert api.retrieve(token["id"]) == {**before, "otherDeliveries": others}

    def test_that_cannot_be_counted_do_not_fail(
        self, api: Api, world: InMemory, stripe: FakeSecret, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> None:
            raise ConnectionError("the table is out of reach")

        monkeypatch.setattr(world.store, "count_delivery", broken)
        ended, filtered, typed = api.create(), api.create(completeWhen="body.done"), api.create(payloadSchema=SCHEMA)
        verified = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        api.post(ended["url"], b"1", JSON)
        answers = [api.post(token["url"], b"{}", JSON).status for token in (ended, filtered, typed, verified)]
        assert answers == [200, 200, 422, 401]
        for token in (filtered, typed, verified):
            assert_untouched(api, token)


class TestOrder:
    def test_is_hash_signature_complete_when_schema(self, api: Api, stripe: FakeSecret) -> None:
        token = api.create(
            verify={"scheme": "stripe", "secret": "stripe"}, completeWhen="body.done", payloadSchema={"required": ["n"]}
        )
        answers = []
        for url, body, is_signed in (
            (token["url"][:-1] + "x", b'{"done": true, "n": 1}', True),
            (token["url"], b"{}", False),
            (token["url"], b"{}", True),
            (token["url"], b'{"done": true}', True),
        ):
            answers.append(api.post(url, body, signed(token, body) if is_signed else JSON).status)
        assert answers == [401, 401, 200, 422]
        assert_untouched(api, token, 3)
        body = b'{"done": true, "n": 1}'
        assert api.post(token["url"], body, signed(token, body)).status == 200
        assert api.retrieve(token["id"])["output"] == body.decode()

    def test_puts_the_hash_before_a_handshake_and_that_before_the_signature(self, api: Api, stripe: FakeSecret) -> None:
        token = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        body = b'{"type": "url_verification", "challenge": "abc"}'
        wrong = api.post(token["url"][:-1] + "x", body, JSON)
        assert (wrong.status, wrong.error) == (401, "Invalid URL, hash doesn't match")
        assert (api.post(token["url"], body, JSON).text) == "abc"
        assert_untouched(api, token)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
    def test_gives_a_wrong_hash_the_same_answer_by_every_method(self, api: Api, method: str) -> None:
        token = api.create()
        headers = {"webhook-request-origin": "example.com"}
        answer = api.request(method, token["url"][:-1] + "x?challenge=abc&validationToken=abc", b"", headers)
        assert (answer.status, answer.error) == (401, "Invalid URL, hash doesn't match")


WORDS = ["challenge", "verification_token", "type", "url_verification", "payload", "ping", "validation_code", "event", "events"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["abc", *WORDS])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.sampled_from(WORDS), inner)
)
BODIES = (
    st.binary(max_size=300)
    | st.text(max_size=100).map(lambda it: it.encode("utf-8", "surrogatepass"))
    | VALUES.map(lambda it: json.dumps(it).encode())
    | st.dictionaries(st.text(max_size=9), st.text(max_size=9)).map(lambda it: urlencode(it).encode())
    | st.sampled_from(
        [b"", b"{}", FITTING, UNFITTING, b"[" * 600 + b"]" * 600, b"9" * 5000, b"1e999", b'"\\ud800"', b"\xff\xfe"]
    )
)
CONTENT_TYPES = st.text(max_size=40) | st.sampled_from(
    [
        *(
            "application/json",
            "text/plain; charset=utf-16",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=b",
        ),
        *("application/x-www-form-urlencoded; charset=latin1", "application/octet-stream", "multipart/form-data", ""),
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("user-agent", "webhook-id", "x-hook-secret", "smartsheet-hook-challenge", "aeg-event-type", "stripe-signature"),
            *("x-okta-verification-challenge", "webhook-request-origin", "webhook-request-rate", "cookie"),
            "access-control-request-method",
        ]
    ),
    st.text(max_size=300) | st.sampled_from(["abc", "SubscriptionValidation", "t=1,v1=2", "*", "a\r\nset-cookie: x"]),
    max_size=4,
)
QUERIES = st.text(max_size=300) | st.dictionaries(
    st.sampled_from(["challenge", "validationToken", "hub.mode", "hub.challenge", "q"]),
    st.text(max_size=20) | st.sampled_from(["subscribe", "123", "abc", "<script>"]),
).map(urlencode)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "verify": st.just({"scheme": "stripe", "secret": "stripe"}),
        "completeWhen": st.sampled_from(
            ["body", "body.approved", "headers.\"user-agent\" == 'abc'", "query.q", "!body", "json(body)"]
        ),
        "payloadSchema": st.sampled_from([{}, SCHEMA, {"not": {"type": "object"}}, {"pattern": "^a*$", "maxLength": 9}]),
    },
)
ALPHABET = set(string.ascii_letters + string.digits + "._~:+/= -")


class TestAnyRequest:
    @pytest.mark.slow
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
    @given(
        rules=RULES,
        body=BODIES,
        content_type=CONTENT_TYPES,
        headers=HEADERS,
        query=QUERIES,
        is_signed=st.booleans(),
        data=st.data(),
    )
    def test_settles_its_token_with_what_was_sent_or_leaves_it(
        self,
        api: Api,
        world: InMemory,
        rules: dict[str, Any],
        body: bytes,
        content_type: str,
        headers: dict[str, str],
        query: str,
        is_signed: bool,
        data: st.DataObject,
    ) -> None:
        world.webhook_secrets["stripe"] = FakeSecret(webhook_signer.secret_of("stripe"))
        method = data.draw(st.just("POST") | st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"]))
        token = api.create(**rules)
        sent = {**headers, "content-type": content_type}
        if is_signed:
            sent |= webhook_signer.sign("stripe", body, token["url"], time.time()).headers
        event_, expected = event_of(method, token, query, body, sent), callback_body.output(body, content_type)

        answer = FUNCTIONS["accept_callback"].call(event_)

        shown = api.retrieve(token["id"])
        event(f"{method} {answer['statusCode']} {shown['status']} {'otherDeliveries' in shown}")
        assert answer["statusCode"] in {200, 401, 405, 422}
        if shown["status"] == "COMPLETED":
            assert (method, answer["statusCode"], answer["body"]) == ("POST", 200, '{"success":true}')
            assert shown.get("output") == expected
            assert is_signed or "verify" not in rules
        else:
            assert "output" not in shown
        if "content-security-policy" in answer["headers"]:  # a handshake
            assert shown["status"] == "WAITING"
            reflected = [answer["headers"].get(name, "") for name in REFLECTING]
            text = answer["body"] if answer["headers"]["content-type"].startswith("text/plain") else ""
            values = json.loads(answer["body"]).values() if not text and answer["body"] else ()
            assert all(ALPHABET.issuperset(value) or value == "*" for value in (text, *reflected, *values))

    @pytest.mark.slow
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
    @given(body=BODIES, headers=HEADERS, query=QUERIES, method=st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "PUT"]))
    def test_with_a_wrong_hash_has_one_answer(
        self, api: Api, body: bytes, headers: dict[str, str], query: str, method: str
    ) -> None:
        token = api.create()
        wrong = {"url": token["url"][:-1] + ("0" if token["url"][-1] != "0" else "1")}
        answer = FUNCTIONS["accept_callback"].call(event_of(method, wrong, query, body, headers))
        refused = (
            (401, '{"error":"Invalid URL, hash doesn\'t match"}')
            if method != "PUT"
            else (405, '{"error":"Method not allowed"}')
        )
        assert (answer["statusCode"], answer["body"]) == refused
        assert_untouched(api, token)


REFLECTING = ("x-hook-secret", "smartsheet-hook-response", "webhook-allowed-origin", "webhook-allowed-rate")


def event_of(method: str, token: Mapping[str, Any], query: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """A request as API Gateway hands it on, whatever its query and its headers hold."""
    path = urlsplit(token["url"]).path
    route = Template.load().route(method, path)
    assert route is not None
    return http_event(method, path, query, body, headers, route.route_key, route.path_parameters)
