"""A cheap look tells which requests are certainly no handshakes."""

import json

import pytest

from waitpoints.api.http import HANDSHAKE_LIMIT
from waitpoints.api.providers.handshakes import Asked, answer
from waitpoints.api.providers.maybe_handshake import may_be_handshake

EVENT_GRID = [{"id": "1", "data": {"validationCode": "512d38b6-c7b8", "validationUrl": "https://rp.example.com/validate"}}]


def test_an_ordinary_delivery_does_not_look_like_a_handshake() -> None:
    assert not may_be_handshake("POST", {"x-github-event": "push"}, "a=1", b'{"action":"opened"}')
    assert not may_be_handshake("PUT", {}, "challenge=a", b"")
    assert not may_be_handshake("POST", {}, "", b'{"challenge":"a"}' + b" " * HANDSHAKE_LIMIT)


@pytest.mark.parametrize(
    ("method", "headers_", "query", "body"),
    [
        ("HEAD", {}, "", b""),
        ("GET", {}, "challenge=a", b""),
        ("OPTIONS", {"webhook-request-origin": "a"}, "", b""),
        ("POST", {}, "validationToken=a", b""),
        ("POST", {"x-hook-secret": "a"}, "", b""),
        ("POST", {"smartsheet-hook-challenge": "a"}, "", b"{}"),
        ("POST", {"aeg-event-type": "SubscriptionValidation"}, "", json.dumps(EVENT_GRID).encode()),
        ("POST", {}, "", b'{"type":"url_verification","challenge":"a"}'),
        ("POST", {}, "", b'{"payload":"ping","validation_code":"a"}'),
        ("POST", {}, "", b'{"verification_token":"a"}'),
    ],
)
def test_every_handshake_looks_like_one(method: str, headers_: dict[str, str], query: str, body: bytes) -> None:
    assert may_be_handshake(method, headers_, query, body)
    assert answer(Asked.of(method, headers_, query, body)) is not None
