"""A cheap look tells which requests are certainly no handshakes."""

from waitpoints.api.http import HANDSHAKE_LIMIT
from waitpoints.api.providers.maybe_handshake import may_be_handshake


def test_an_ordinary_delivery_does_not_look_like_a_handshake() -> None:
    assert not may_be_handshake("POST", {"x-github-event": "push"}, "a=1", b'{"action":"opened"}')
    assert not may_be_handshake("PUT", {}, "challenge=a", b"")
    assert not may_be_handshake("POST", {}, "", b'{"challenge":"a"}' + b" " * HANDSHAKE_LIMIT)
