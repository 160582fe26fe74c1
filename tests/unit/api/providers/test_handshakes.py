"""Each provider's handshake gets the answer it wants, and nothing else is repeated to anybody. `providers/maybe_handshake`"""

import hashlib
import hmac
import json
import re
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import webhook_signer
from tests.support.callbacks import assert_untouched, signed
from tests.support.in_process.api_gateway import JSON, Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.world import World
from waitpoints.api.http import HANDSHAKE_LIMIT, Response
from waitpoints.api.providers.handshakes import Asked, answer, keyed_answer
from waitpoints.api.providers.maybe_handshake import may_be_handshake

GRAPH_TOKEN = "Validation: Testing client application reachability for subscription Request-Id: 522a8e7e-096a-494c"
KEY = b"secret"


Received = tuple[str, dict[str, str], str, bytes]  # method, headers, query, body


def received(method: str = "POST", query: str = "", body: Any = None, **headers: str) -> Received:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return method, {name.replace("_", "-"): value for name, value in headers.items()}, query, content


def asked(method: str = "POST", query: str = "", body: Any = None, **headers: str) -> Asked:
    return Asked.of(*received(method, query, body, **headers))


def sent(response: Response | None) -> tuple[int, str, str]:
    assert response is not None
    event = response.event({})
    for name, value in {"x-content-type-options": "nosniff", "cache-control": "no-store"}.items():
        assert event["headers"][name] == value
    return event["statusCode"], event["headers"]["content-type"].partition(";")[0], event["body"]


EVENT_GRID = [{"id": "1", "data": {"validationCode": "512d38b6-c7b8", "validationUrl": "https://rp.example.com/validate"}}]

BLIND = [
    ("Trello", received("HEAD"), ("text/plain", "")),
    ("Okta", received("GET", x_okta_verification_challenge="a1B2"), ("application/json", '{"verification":"a1B2"}')),
    ("Meta", received("GET", "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=t"), ("text/plain", "1158201444")),
    (
        "Strava",
        received("GET", "hub.verify_token=t&hub.challenge=15f7d1a91c1f40f8a748fd134752feb3&hub.mode=subscribe"),
        ("application/json", '{"hub.challenge":"15f7d1a91c1f40f8a748fd134752feb3"}'),
    ),
    ("Dropbox", received("GET", "challenge=abc_-123"), ("text/plain", "abc_-123")),
    ("Graph", received(query=f"validationToken={quote_plus(GRAPH_TOKEN)}"), ("text/plain", GRAPH_TOKEN)),
    ("Asana", received(x_hook_secret="b537207f20cbfa02357cf448134da559"), ("application/json", "{}")),
    (
        "Smartsheet",
        received(smartsheet_hook_challenge="d4f8-11", body={"challenge": "d4f8-11", "webhookId": 1}),
        ("application/json", '{"smartsheetHookResponse":"d4f8-11"}'),
    ),
    (
        "Event Grid",
        received(aeg_event_type="SubscriptionValidation", body=EVENT_GRID),
        ("application/json", '{"validationResponse":"512d38b6-c7b8"}'),
    ),
    ("Slack", received(body={"type": "url_verification", "token": "t", "challenge": "3eZbrw1a"}), ("text/plain", "3eZbrw1a")),
    ("monday", received(body={"challenge": "3eZbrw"}), ("application/json", '{"challenge":"3eZbrw"}')),
    (
        "Toggl",
        received(body={"payload": "ping", "validation_code": "c0de", "event_id": 0}),
        ("application/json", '{"validation_code":"c0de"}'),
    ),
    (
        "Notion",
        received(body={"verification_token": "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}),
        ("application/json", "{}"),
    ),
    ("CloudEvents", received("OPTIONS", webhook_request_origin="eventgrid.azure.net"), ("text/plain", "")),
]


@pytest.mark.parametrize(("request_", "expected"), [row[1:] for row in BLIND], ids=[row[0] for row in BLIND])
def test_each_blind_handshake_is_answered_as_its_provider_wants(request_: Received, expected: tuple[str, str]) -> None:
    assert may_be_handshake(*request_)
    assert sent(answer(Asked.of(*request_))) == (200, *expected)


def test_what_goes_into_headers() -> None:
    asana = answer(asked(x_hook_secret="b537207f"))
    smartsheet = answer(asked(smartsheet_hook_challenge="d4f8"))
    assert asana is not None
    assert asana.headers["x-hook-secret"] == "b537207f"
    assert smartsheet is not None
    assert smartsheet.headers["smartsheet-hook-response"] == "d4f8"


@pytest.mark.parametrize(("rate", "allowed"), [("120", "120"), ("0", "*"), ("1\r\nx: y", "*"), (None, None)])
def test_cloud_events_gets_its_origin_and_the_rate_it_asked_for(rate: str | None, allowed: str | None) -> None:
    headers = {"webhook_request_origin": "events.example.com"} | ({"webhook_request_rate": rate} if rate else {})
    response = answer(asked("OPTIONS", **headers))
    assert response is not None
    assert response.headers["webhook-allowed-origin"] == "events.example.com"
    assert response.headers["allow"] == "POST"
    assert response.headers.get("webhook-allowed-rate") == allowed


@pytest.mark.parametrize(
    "request_",
    [
        asked("OPTIONS", origin="https://a.example", access_control_request_method="POST"),
        asked("OPTIONS", webhook_request_origin="a.example", access_control_request_method="POST"),
        asked("OPTIONS"),
        asked("GET"),
        asked("PUT", "challenge=abc"),
        asked("POST", "challenge=abc"),
        asked("GET", "hub.challenge=1"),
        asked("GET", "crc_token=abc"),
        asked("GET", "challenge=%3Cscript%3E"),
        asked("GET", "challenge=" + "a" * 1025),
        asked("GET", "challenge=a%0D%0Ab"),
        asked("GET", "challenge=a+b"),
        asked("POST", "validationToken=abc", {"data": 1}),
        asked(x_hook_secret="a\r\nset-cookie: b"),
        asked(body={"challenge": "a", "more": 1}),
        asked(body={"challenge": 5}),
        asked(body={"type": "url_verification"}),
        asked(body={"type": "event_callback", "challenge": "a"}),
        asked(body={"verification_token": "a", "b": 1}),
        asked(body=EVENT_GRID),
        asked(aeg_event_type="SubscriptionValidation", body=[]),
        asked(aeg_event_type="SubscriptionValidation", body={"id": "1"}),
        asked(aeg_event_type="SubscriptionValidation", body=EVENT_GRID * 2),
        asked(aeg_event_type="Notification", body=EVENT_GRID),
        asked(body={"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example.com"}),
        asked(body={"event": "endpoint.url_validation", "payload": {"plainToken": "a"}}),
        asked(body={"challenge": "a", " " * HANDSHAKE_LIMIT: 1}),
        asked(body=b'{"challenge":"a"' + b" " * HANDSHAKE_LIMIT + b"}"),
        asked(body=b"\xff"),
        asked(body=[1]),
        asked(body={"type": 1}),
    ],
)
def test_anything_else_is_not_a_handshake(request_: Asked) -> None:
    assert answer(request_) is None


def test_an_ordinary_delivery_does_not_look_like_a_handshake() -> None:
    assert not may_be_handshake("POST", {"x-github-event": "push"}, "a=1", b'{"action":"opened"}')
    assert not may_be_handshake("PUT", {}, "challenge=a", b"")
    assert not may_be_handshake("POST", {}, "", b'{"challenge":"a"}' + b" " * HANDSHAKE_LIMIT)


def test_zoom_signs_the_challenge() -> None:
    request = asked(body={"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    status, _, body = sent(keyed_answer("zoom", request, KEY))
    signed = hmac.new(KEY, b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()
    assert (status, json.loads(body)) == (200, {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": signed})


@pytest.mark.parametrize("token", ['v0:1700000000:{"event":"x"}', "v0:1:a", "a" * 129, "", 1, None])
def test_zoom_is_no_oracle_for_its_own_signatures(token: Any) -> None:
    request = asked(body={"event": "endpoint.url_validation", "payload": {"plainToken": token}})
    assert keyed_answer("zoom", request, KEY) is None


def test_zoom_delivers_what_is_no_challenge() -> None:
    request = asked(body={"event": "meeting.ended", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    assert keyed_answer("zoom", request, KEY) is None


def test_xero_and_discord() -> None:
    intent = {"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": "S0m3r4Nd0mt3xt"}
    assert sent(keyed_answer("xero", asked(body=intent), KEY)) == (200, "text/plain", "")
    changes: list[dict[str, Any]] = [{"events": [{}]}, {"firstEventSequence": 1}, {"lastEventSequence": 1}]
    for changed in changes:
        assert keyed_answer("xero", asked(body={**intent, **changed}), KEY) is None
    assert sent(keyed_answer("discord", asked(body={"type": 1}), KEY)) == (200, "application/json", '{"type":1}')
    assert sent(keyed_answer("discord", asked(body={"type": 0}), KEY)) == (204, "text/plain", "")
    others: list[Any] = [{"type": 2}, {"type": True}, {"type": False}, {}, [], None]
    for body in others:
        assert keyed_answer("discord", asked(body=body), KEY) is None


def test_a_keyed_handshake_is_for_its_own_scheme_and_for_post() -> None:
    assert keyed_answer("slack", asked(body={"type": 1}), KEY) is None
    assert keyed_answer("discord", asked("PUT", body={"type": 1}), KEY) is None


anything = st.text() | st.text("aA0._~:+/= -<>\r\n%&", max_size=40)
values = anything | st.none() | st.integers() | st.lists(anything, max_size=2)
names = st.sampled_from(
    ["type", "challenge", "payload", "validation_code", "verification_token", "event", "data", "plainToken"]
)
headers = st.sampled_from(
    ["x-okta-verification-challenge", "x-hook-secret", "smartsheet-hook-challenge", "webhook-request-origin",
     "webhook-request-rate", "aeg-event-type", "origin", "access-control-request-method"]
)  # fmt: skip
queries = st.sampled_from(["challenge", "hub.mode=subscribe&hub.challenge", "validationToken", "crc_token"])


@given(
    st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT"]),
    st.dictionaries(headers, anything, max_size=3),
    st.builds(lambda name, value: f"{name}={value}", queries, anything) | anything,
    st.dictionaries(names, values, max_size=2).map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40),
)
def test_no_byte_outside_the_alphabet_is_repeated(method: str, sent_headers: dict[str, str], query: str, body: bytes) -> None:
    response = answer(Asked.of(method, sent_headers, query, body))
    if response is not None:
        assert may_be_handshake(method, sent_headers, query, body)
        repeated = response.body if isinstance(response.body, str) else "".join(response.body.values())
        assert re.fullmatch(r"[A-Za-z0-9._~:+/= -]{0,1024}", repeated)
        for value in response.headers.values():
            assert re.fullmatch(r"[A-Za-z0-9._~:+/=*; '-]{1,1024}", value)


SCHEMA = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}


class TestHandshakes:
    @pytest.mark.parametrize(("request_", "expected"), [row[1:] for row in BLIND], ids=[row[0] for row in BLIND])
    @pytest.mark.parametrize(
        "rules", [{}, {"completeWhen": "body.done"}, {"payloadSchema": SCHEMA}], ids=["plain", "filtered", "typed"]
    )
    def test_are_answered_and_touch_no_token(self, api: Api, rules: Any, request_: Received, expected: tuple[str, str]) -> None:
        token, (method, headers, query, body) = api.create(**rules), request_
        answer = api.request(method, f"{token['url']}?{query}", body, headers)
        assert (answer.status, answer.text) == (200, expected[1])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert_untouched(api, token)

    @pytest.mark.parametrize(
        ("scheme", "body", "status", "part"),
        [
            ("zoom", b'{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}', 200, "encryptedToken"),
            ("xero", b'{"events": [], "firstEventSequence": 0, "lastEventSequence": 0}', 200, ""),
            ("discord", b'{"type": 1}', 200, '{"type":1}'),
        ],
    )
    def test_that_need_the_key_are_answered_only_once_the_signature_is_right(
        self, api: Api, world: World, scheme: str, body: bytes, status: int, part: str
    ) -> None:
        world.webhook_secrets[scheme] = FakeSecret(webhook_signer.secret_of(scheme))
        token = api.create(verify={"scheme": scheme, "secret": scheme})
        for headers in (JSON, {**signed(token, b"{}", scheme)}):
            refused = api.post(token["url"], body, headers)
            assert (refused.status, "encryptedToken" in refused.text) == (401, False)
        answer = api.post(token["url"], body, signed(token, body, scheme))
        assert answer.status == status
        assert part in answer.text
        assert_untouched(api, token, 2)
