"""What providers ask of a callback URL before they use it, over HTTP: one of each way, and the token keeps waiting.

`unit/api/providers/test_handshakes.py` has every provider's.
"""

import hashlib
import hmac
import json
import time
import uuid
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import webhook_signer as signer
from tests.support.e2e.api import Api
from tests.support.e2e.secrets import Secrets

CODE = "3eb57ae6-20a8-4aa0-a1ea.b7~C:+/=-"
ORIGIN = "eventemitter.example.com"

# The request's method, query, headers and body; then the answer's headers of its own, and its body.
HANDSHAKES: dict[str, tuple[str, str, dict[str, str], bytes, dict[str, str], bytes]] = {
    "Trello: HEAD": ("HEAD", "", {}, b"", {}, b""),
    "CloudEvents: OPTIONS": (
        "OPTIONS",
        "",
        {"WebHook-Request-Origin": ORIGIN},
        b"",
        {"webhook-allowed-origin": ORIGIN, "allow": "POST"},
        b"",
    ),
    "Dropbox: a query": ("GET", "?challenge=" + quote(CODE, safe=""), {}, b"", {}, CODE.encode()),
    "Smartsheet: a header and a body": (
        "POST",
        "",
        {"Smartsheet-Hook-Challenge": CODE},
        json.dumps({"challenge": CODE, "webhookId": 4503604829677444}).encode(),
        {"smartsheet-hook-response": CODE},
        json.dumps({"smartsheetHookResponse": CODE}, separators=(",", ":")).encode(),
    ),
}


@pytest.mark.parametrize("handshake", HANDSHAKES)
def test_a_handshake_is_answered_as_its_provider_wants_and_settles_nothing(api: Api, handshake: str) -> None:
    method, query, headers, body, own_headers, expected = HANDSHAKES[handshake]
    token = api.create()
    before = api.retrieve(token)

    answer = api.deliver(token["url"] + query, body, headers, method=method)

    assert (answer.status, answer.body) == (200, expected)
    guards = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox"}
    assert answer.headers.items() >= {**own_headers, **guards}.items()
    assert api.retrieve(token) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_any_other_request_but_a_post_is_refused_and_settles_nothing(api: Api, method: str) -> None:
    token = api.create()
    before = api.retrieve(token)

    answer = api.deliver(token["url"] + "?crc_token=abc", method=method)

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert b"abc" not in answer.body
    assert api.retrieve(token) == before


@pytest.mark.parametrize("path", ["/", "//x", "%2F"])
def test_a_callback_url_with_something_behind_it_is_no_redirect_to_it(api: Api, path: str) -> None:
    token = api.create()
    answer = api.deliver(token["url"] + path, b"{}")
    assert not 300 <= answer.status < 400
    assert "location" not in answer.headers


def test_a_signed_handshake_is_answered_and_settles_nothing_and_an_unsigned_one_is_refused(api: Api, secrets: Secrets) -> None:
    name = secrets.make(f"zoom-{uuid.uuid4().hex[:8]}", signer.secret_of("zoom"))
    token: dict[str, Any] = api.create(verify={"scheme": "zoom", "secret": name})
    body = b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}'
    signed = signer.sign("zoom", body, token["url"], time.time())

    answer, unsigned = api.deliver(token["url"], body, signed.headers), api.deliver(token["url"], body)

    encrypted = hmac.new(signer.PLAIN.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()
    assert json.loads(answer.body) == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": encrypted}
    assert unsigned.status == 401
    assert api.retrieve(token)["status"] == "WAITING"
