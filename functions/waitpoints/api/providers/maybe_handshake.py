"""Tell cheaply whether a request may be a handshake, so that other requests do not import `handshakes`."""

from collections.abc import Mapping

from waitpoints.api.http import HANDSHAKE_LIMIT, Request, Response

KEYED = ("zoom", "xero", "discord")  # schemes whose handshake needs the key
_HEADERS = ("x-hook-secret", "smartsheet-hook-challenge", "aeg-event-type")
_WORDS = (b'"challenge"', b'"verification_token"', b'"validation_code"')


def answer(request: Request, body: bytes) -> Response | None:
    """Answer a handshake that needs no key. Returns None if the request is not one."""
    if not may_be_handshake(request.method, request.headers, request.raw_query, body):
        return None
    from waitpoints.api.providers import handshakes

    return handshakes.answer(handshakes.Asked.of(request.method, request.headers, request.raw_query, body))


def may_be_handshake(method: str, headers: Mapping[str, str], raw_query: str, body: bytes) -> bool:
    """Whether this may be a handshake that needs no key. False is certain. Header names are in lower case."""
    if method != "POST":
        return method in ("GET", "HEAD", "OPTIONS")
    if len(body) > HANDSHAKE_LIMIT:
        return any(name in headers for name in _HEADERS)
    return "validationToken" in raw_query or any(name in headers for name in _HEADERS) or any(word in body for word in _WORDS)
