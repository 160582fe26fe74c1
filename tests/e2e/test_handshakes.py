"""What providers ask of a callback URL before they use it, over HTTP: each gets its answer, and the token keeps waiting."""

import hashlib
import hmac
import json
import time
import uuid
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import webhook_signer as signer
from tests.support.e2e.api import Api, RawAnswer
from tests.support.e2e.secrets import Secrets

TEXT, JSON = "text/plain; charset=utf-8", "application/json; charset=utf-8"
CODE = "3eb57ae6-20a8-4aa0-a1ea.b7~C:+/=-"
GRAPH = "Validation: Testing client application reachability for subscription Request-Id: 522a8e7e-096a"

# The request's method, query, headers and body; then the answer's content type, headers of its own, and body.
HANDSHAKES = {
    "Trello": ("HEAD", "", {}, b"", TEXT, {}, b""),
    "CloudEvents": (
        "OPTIONS",
        "",
        {"WebHook-Request-Origin": "eventemitter.example.com"},
        b"",
        TEXT,
        {"webhook-allowed-origin": "eventemitter.example.com", "allow": "POST"},
        b"",
    ),
    "CloudEvents with a rate": (
        "OPTIONS",
        "",
        {"WebHook-Request-Origin": "eventemitter.example.com", "WebHook-Request-Rate": "120"},
        b"",
        TEXT,
        {"webhook-allowed-origin": "eventemitter.example.com", "webhook-allowed-rate": "120", "allow": "POST"},
        b"",
    ),
    "Okta": ("GET", "", {"X-Okta-Verification-Challenge": CODE}, b"", JSON, {}, {"verification": CODE}),
    "Meta": ("GET", "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=t", {}, b"", TEXT, {}, b"1158201444"),
    "Strava": (
        "GET",
        "?hub.verify_token=STRAVA&hub.challenge=15f7d1a91c1f40f8a748fd134752feb3&hub.mode=subscribe",
        {},
        b"",
        JSON,
        {},
        {"hub.challenge": "15f7d1a91c1f40f8a748fd134752feb3"},
    ),
    "Dropbox": ("GET", "?challenge=" + quote(CODE, safe=""), {}, b"", TEXT, {}, CODE.encode()),
    "Adobe": (
        "GET",
        "?challenge=8ec8d794-e0ab-42df-9017-e3dada8e84f7",
        {},
        b"",
        TEXT,
        {},
        b"8ec8d794-e0ab-42df-9017-e3dada8e84f7",
    ),
    "Microsoft Graph": (
        "POST",
        "?validationToken=" + quote(GRAPH),
        {"Content-Type": "text/plain; charset=utf-8"},
        b"",
        TEXT,
        {},
        GRAPH.encode(),
    ),
    "Asana": (
        "POST",
        "",
        {"X-Hook-Secret": "b537207f20cbfa02357cf448134da559"},
        b"{}",
        JSON,
        {"x-hook-secret": "b537207f20cbfa02357cf448134da559"},
        {},
    ),
    "Smartsheet": (
        "POST",
        "",
        {"Smartsheet-Hook-Challenge": CODE},
        json.dumps({"challenge": CODE, "webhookId": 4503604829677444}).encode(),
        JSON,
        {"smartsheet-hook-response": CODE},
        {"smartsheetHookResponse": CODE},
    ),
    "Event Grid": (
        "POST",
        "",
        {"aeg-event-type": "SubscriptionValidation"},
        json.dumps([{"id": "2d1781af", "data": {"validationCode": CODE, "validationUrl": "https://example.com/"}}]).encode(),
        JSON,
        {},
        {"validationResponse": CODE},
    ),
    "Slack": (
        "POST",
        "",
        {"Content-Type": "application/json"},
        b'{"token": "Jhj5dZrVaK7ZwHHj", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWM", "type": "url_verification"}',
        TEXT,
        {},
        b"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWM",
    ),
    "monday": ("POST", "", {}, b'{"challenge": "3eZbrw1aBm2rZg"}', JSON, {}, {"challenge": "3eZbrw1aBm2rZg"}),
    "Toggl": (
        "POST",
        "",
        {},
        b'{"payload": "ping", "validation_code": "35d8a3bc", "validation_code_url": "https://example.com"}',
        JSON,
        {},
        {"validation_code": "35d8a3bc"},
    ),
    "Notion": ("POST", "", {}, b'{"verification_token": "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}', JSON, {}, {}),
}


def ask(api: Api, url: str, provider: str) -> RawAnswer:
    method, query, headers, body, *_ = HANDSHAKES[provider]
    return api.deliver(url + query, body, headers, method=method)


@pytest.mark.parametrize("provider", HANDSHAKES)
def test_a_handshake_is_answered_as_its_provider_wants_and_settles_nothing(api: Api, provider: str) -> None:
    *_, content_type, own_headers, body = HANDSHAKES[provider]
    token = api.create()
    before = api.retrieve(token)

    answer = ask(api, token["url"], provider)

    assert answer.status == 200
    assert answer.headers["content-type"] == content_type
    assert (json.loads(answer.body) if isinstance(body, dict) else answer.body) == body
    assert {name: answer.headers[name] for name in own_headers} == own_headers
    assert_guarded(answer)
    assert api.retrieve(token) == before


def assert_guarded(answer: RawAnswer) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert not {"location", "set-cookie"} & answer.headers.keys()


@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        pytest.param("GET", "?crc_token=challenge_string&nonce=1", {}, id="X's challenge"),
        pytest.param("GET", "", {}, id="a link preview"),
        pytest.param("OPTIONS", "", {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}, id="CORS"),
        pytest.param("PUT", "?challenge=abc", {}, id="PUT"),
        pytest.param("DELETE", "?challenge=abc", {}, id="DELETE"),
        pytest.param("PATCH", "?challenge=abc", {"X-Hook-Secret": "abc"}, id="PATCH"),
        pytest.param("GET", "?challenge=<script>alert(1)</script>".replace("<", "%3C").replace(">", "%3E"), {}, id="HTML"),
        pytest.param("GET", "?challenge=" + "a" * 1025, {}, id="a challenge over the limit"),
    ],
)
def test_any_other_request_but_a_post_is_refused_and_settles_nothing(
    api: Api, method: str, query: str, headers: dict[str, str]
) -> None:
    token = api.create()
    before = api.retrieve(token)

    answer = api.deliver(token["url"] + query, b"", headers, method=method)

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert json.loads(answer.body).keys() == {"error"}
    assert b"challenge" not in answer.body
    assert "access-control-allow-origin" not in answer.headers
    assert "location" not in answer.headers
    assert api.retrieve(token) == before


@pytest.mark.parametrize("path", ["/", "//x", "%2F"])
def test_a_callback_url_with_something_behind_it_is_no_redirect_to_it(api: Api, path: str) -> None:
    token = api.create()
    answer = api.deliver(token["url"] + path, b"{}")
    assert not 300 <= answer.status < 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("body", [b'{"challenge": "<b>"}', b'{"challenge": "abc", "more": 1}', b'{"type": "url_verification"}'])
def test_what_only_resembles_a_handshake_settles_the_token_with_what_was_sent(api: Api, body: bytes) -> None:
    token = api.create()
    assert api.deliver(token["url"], body).body == b'{"success":true}'
    assert api.retrieve(token)["output"] == body.decode()


class TestWithAKey:
    ZOOM = b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}'
    XERO = b'{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
    ENCRYPTED = hmac.new(signer.PLAIN.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()

    @pytest.mark.parametrize(
        ("scheme", "body", "status", "content"),
        [
            ("zoom", ZOOM, 200, {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": ENCRYPTED}),
            ("xero", XERO, 200, b""),
            ("discord", b'{"version":1,"application_id":"1","type":1,"entitlements":[]}', 200, {"type": 1}),
            ("discord", b'{"version":1,"application_id":"1","type":0}', 204, b""),
        ],
    )
    def test_a_signed_handshake_is_answered_and_settles_nothing_and_an_unsigned_one_is_refused(
        self, api: Api, secrets: Secrets, scheme: str, body: bytes, status: int, content: Any
    ) -> None:
        secret = secrets.make(f"{scheme}-{uuid.uuid4().hex[:8]}", signer.secret_of(scheme))
        token = api.create(verify={"scheme": scheme, "secret": secret})
        signed = signer.sign(scheme, body, token["url"], time.time())

        answer = api.deliver(token["url"], body, signed.headers)
        unsigned = api.deliver(token["url"], body)
        wrongly = api.deliver(token["url"], body + b" ", signed.headers)

        assert answer.status == status
        assert (json.loads(answer.body) if isinstance(content, dict) else answer.body) == content
        assert_guarded(answer)
        assert (unsigned.status, wrongly.status) == (401, 401)
        assert b"encryptedToken" not in unsigned.body + wrongly.body
        assert api.retrieve(token)["status"] == "WAITING"
        event = b'{"event": "meeting.ended", "type": 2}'
        assert api.deliver(token["url"], event, signer.sign(scheme, event, token["url"], time.time()).headers).status == 200
        assert api.retrieve(token)["output"] == event.decode()

    def test_without_a_signature_scheme_they_are_deliveries_like_any(self, api: Api) -> None:
        token = api.create()
        assert api.deliver(token["url"], self.ZOOM).body == b'{"success":true}'
        assert api.retrieve(token)["output"] == self.ZOOM.decode()
