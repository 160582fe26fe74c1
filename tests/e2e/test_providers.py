"""Providers over HTTP: the API's routes to two functions, raw bytes and queries, the layer's libraries, and real secrets.

`unit/api/providers` has every scheme and handshake, with the providers' own libraries, and `integration/test_secrets.py` what
becomes of a secret.
"""

import hashlib
import hmac
import json
import time
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import webhook_signer as signer
from tests.support.e2e.api import Api, RawAnswer
from tests.support.e2e.secrets import Secrets
from waitpoints_local.webhook_signer import Sent

BODY = '{"event": "päid",  "amount": 12.50}'.encode()
CODE = "3eb57ae6-20a8-4aa0-a1ea.b7~C:+/=-"
ORIGIN = "eventemitter.example.com"
SMARTSHEET = json.dumps({"challenge": CODE, "webhookId": 4503604829677444}).encode()
# The request's method, query, headers and body; then the answer's headers of its own, and its body.
HANDSHAKES: list[tuple[str, str, dict[str, str], bytes, dict[str, str], bytes]] = [
    ("HEAD", "", {}, b"", {}, b""),
    ("OPTIONS", "", {"WebHook-Request-Origin": ORIGIN}, b"", {"webhook-allowed-origin": ORIGIN, "allow": "POST"}, b""),
    ("GET", "?challenge=" + quote(CODE, safe=""), {}, b"", {}, CODE.encode()),
    (
        "POST",
        "",
        {"Smartsheet-Hook-Challenge": CODE},
        SMARTSHEET,
        {"smartsheet-hook-response": CODE},
        json.dumps({"smartsheetHookResponse": CODE}, separators=(",", ":")).encode(),
    ),
]
GUARDS = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox"}


def test_what_is_asked_of_a_callback_url_settles_nothing(api: Api) -> None:
    token = api.create()
    before = api.retrieve(token)
    for method, query, headers, body, own_headers, expected in HANDSHAKES:
        answer = api.send(token["url"] + query, body, headers, method=method)
        assert (answer.status, answer.body) == (200, expected), method
        assert answer.headers.items() >= {**own_headers, **GUARDS}.items(), method
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = api.send(token["url"] + "?crc_token=abc", method=method)
        assert (answer.status, answer.headers["allow"], b"abc" in answer.body) == (405, "POST", False), method
    for path in ("/", "//x", "%2F"):
        answer = api.send(token["url"] + path, b"{}")
        assert (not 300 <= answer.status < 400, "location" in answer.headers) == (True, False), path
    assert api.retrieve(token) == before


def make(api: Api, secrets: Secrets, scheme: str) -> dict[str, Any]:
    """Create a token whose provider signs, with a secret of its own: a running function keeps one for some time."""
    name = secrets.make(f"{scheme}-{uuid.uuid4().hex[:8]}", signer.secret_of(scheme))
    return api.create(verify={"scheme": scheme, "secret": name})


def send(api: Api, signed: Sent) -> RawAnswer:
    return api.send(signed.url, signed.body, signed.headers)


@pytest.mark.parametrize("scheme", ["github", "discord", "sendgrid"])  # a shared secret, and keys that the layer checks
def test_a_signed_delivery_settles_its_token_and_one_with_a_changed_byte_does_not(
    api: Api, secrets: Secrets, scheme: str
) -> None:
    token = make(api, secrets, scheme)
    signed = signer.sign(scheme, BODY, token["url"], time.time())
    assert send(api, replace(signed, body=signed.body.replace(b"12.50", b"12.51"))).status == 401
    assert api.retrieve(token)["status"] == "WAITING"
    assert (send(api, signed).status, api.retrieve(token)["output"]) == (200, BODY.decode())


def test_a_signed_url_may_have_a_query_and_a_signed_handshake_is_answered(api: Api, secrets: Secrets) -> None:
    token, query = make(api, secrets, "square"), "step=2&note=a%20b+c&empty="
    url = f"{token['url']}?{query}"
    assert send(api, replace(signer.sign("square", BODY, token["url"], time.time()), url=url)).status == 401
    assert send(api, signer.sign("square", BODY, url, time.time())).status == 200
    assert api.retrieve(token)["completedBy"]["query"] == query

    token, plain = make(api, secrets, "zoom"), "qgg8vlvZRS6UYooatFL8Aw"
    asked = json.dumps({"payload": {"plainToken": plain}, "event_ts": 1654503849680, "event": "endpoint.url_validation"})
    encrypted = hmac.new(signer.PLAIN.encode(), plain.encode(), hashlib.sha256).hexdigest()
    answer = send(api, signer.sign("zoom", asked.encode(), token["url"], time.time()))
    assert json.loads(answer.body) == {"plainToken": plain, "encryptedToken": encrypted}
    assert api.send(token["url"], asked.encode()).status == 401
    assert api.retrieve(token)["status"] == "WAITING"
