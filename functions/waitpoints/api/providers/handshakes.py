"""Answer handshakes: the requests by which providers verify a URL before they deliver to it. A handshake settles no token.

A provider sends a challenge and expects it back. Anyone with the URL can send a challenge, so only a short text of a limited
alphabet is repeated, as plain text or JSON that browsers do not interpret. Nothing is fetched.
An answer reveals that the URL exists, so the URL's hash is checked first. The answer does not prove who sent the challenge.

| provider          | asks                                             | gets                                      | key |
| --------------- | ------------------------------------------------ | ----------------------------------------- | --- |
| Trello          | HEAD                                             | 200                                       |     |
| CloudEvents     | OPTIONS, webhook-request-origin                  | webhook-allowed-origin, -rate             |     |
| Okta            | GET, x-okta-verification-challenge               | {"verification"}                          |     |
| Meta            | GET hub.mode=subscribe, hub.challenge of digits  | its text                                  |     |
| Strava          | GET hub.mode=subscribe, any other hub.challenge  | {"hub.challenge"}                         |     |
| Dropbox, Adobe  | GET challenge                                    | its text                                  |     |
| Microsoft Graph | POST validationToken in the query, no body       | its text                                  |     |
| Asana           | POST, x-hook-secret                              | x-hook-secret                             |     |
| Smartsheet      | POST, smartsheet-hook-challenge                  | smartsheet-hook-response, and as JSON     |     |
| Event Grid      | POST, aeg-event-type: SubscriptionValidation     | {"validationResponse"}                    |     |
| Slack           | POST {"type": "url_verification", "challenge"}   | its text                                  |     |
| monday          | POST {"challenge"} alone                         | {"challenge"}                             |     |
| Toggl           | POST {"payload": "ping", "validation_code"}      | {"validation_code"}                       |     |
| Notion          | POST {"verification_token"} alone                | 200; the token is not stored              |     |
| Zoom            | POST {"event": "endpoint.url_validation"}        | {"plainToken", "encryptedToken"}          | yes |
| Xero            | POST {"events": []} without sequence numbers     | 200, empty                                | yes |
| Discord         | POST {"type": 1}, {"type": 0}                    | {"type": 1}, 204                          | yes |

X's CRC is not answered: its request is not signed, so the answer would sign any text for anyone.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from waitpoints import json_text
from waitpoints.api.http import HANDSHAKE_LIMIT, Response

_CHALLENGE = re.compile(r"[A-Za-z0-9._~:+/=-]{1,1024}")
_SPOKEN = re.compile(r"[A-Za-z0-9._~:+/= -]{1,1024}")  # Microsoft Graph's challenge contains spaces
_SIGNED = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}")  # a signed challenge must not look like `v0:<time>:<body>`
_DIGITS = re.compile(r"[0-9]{1,1024}")
_RATE = re.compile(r"[1-9][0-9]{0,8}")

_GUARDS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be a handshake. Header names are in lower case. `json` is None unless the body is small JSON."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    json: Any
    is_empty: bool

    @classmethod
    def of(cls, method: str, headers: Mapping[str, str], raw_query: str, body: bytes) -> "Asked":
        query = dict(reversed(parse_qsl(raw_query, keep_blank_values=True)))  # the first value of each parameter
        return cls(method, headers, query, _json(body), not body.strip())

    @property
    def members(self) -> Mapping[str, Any]:
        return self.json if isinstance(self.json, dict) else {}


@dataclass(frozen=True, slots=True)
class Handshake:
    """One row of the table: `challenge` finds the text to repeat, `answer` repeats it."""

    provider: str
    method: str
    challenge: Callable[[Asked], Any]
    answer: Callable[[str], Response]
    alphabet: re.Pattern[str] = _CHALLENGE


def answer(asked: Asked) -> Response | None:
    """Answer a handshake that needs no key. Returns None if the request is not one."""
    if asked.method == "HEAD":
        return _answered("")
    if asked.method == "OPTIONS":
        return _cloud_events(asked)
    for row in _BLIND:
        challenge = row.challenge(asked) if row.method == asked.method else None
        if isinstance(challenge, str) and row.alphabet.fullmatch(challenge):
            return row.answer(challenge)
    return None


def keyed_answer(scheme: str, asked: Asked, secret: bytes) -> Response | None:
    """Answer a handshake of this `verify` scheme. Returns None if the request is not one.

    Call it only after the request's signature was verified with `secret`: otherwise it would sign a text for anyone.
    """
    respond = _KEYED.get(scheme)
    return respond(asked, secret) if respond and asked.method == "POST" else None


def _cloud_events(asked: Asked) -> Response | None:
    """CloudEvents' abuse protection. A browser's preflight (CORS) is not one: it has `access-control-request-method`."""
    origin = asked.headers.get("webhook-request-origin", "")
    if "access-control-request-method" in asked.headers or not _CHALLENGE.fullmatch(origin):
        return None
    headers = {"webhook-allowed-origin": origin, "allow": "POST"}
    rate = asked.headers.get("webhook-request-rate", "")
    if rate:
        headers["webhook-allowed-rate"] = rate if _RATE.fullmatch(rate) else "*"
    return _answered("", headers)


def _event_grid_code(asked: Asked) -> Any:
    if asked.headers.get("aeg-event-type", "").lower() != "subscriptionvalidation":
        return None
    event = asked.json[0] if isinstance(asked.json, list) and len(asked.json) == 1 else None
    data = event.get("data") if isinstance(event, dict) else None
    return data.get("validationCode") if isinstance(data, dict) else None


def _zoom(asked: Asked, secret: bytes) -> Response | None:
    payload = asked.members.get("payload")
    token = payload.get("plainToken") if isinstance(payload, dict) else None
    if asked.members.get("event") != "endpoint.url_validation" or not isinstance(token, str) or not _SIGNED.fullmatch(token):
        return None
    signed = hmac.new(secret, token.encode(), hashlib.sha256).hexdigest()
    return _answered({"plainToken": token, "encryptedToken": signed})


def _xero(asked: Asked, _secret: bytes) -> Response | None:
    """Xero also sends wrongly signed requests and expects 401. The signature check has rejected those."""
    body = asked.members
    is_intent = body.get("events") == [] and body.get("firstEventSequence") == 0 and body.get("lastEventSequence") == 0
    return _answered("") if is_intent else None


def _discord(asked: Asked, _secret: bytes) -> Response | None:
    kind = asked.members.get("type")
    if kind not in (0, 1) or isinstance(kind, bool):
        return None
    return _answered({"type": 1}) if kind == 1 else _answered("", status=204)


def _answered(body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    return Response(body, status, {**_GUARDS, **(headers or {})})


def _as_json(name: str) -> Callable[[str], Response]:
    return lambda challenge: _answered({name: challenge})


def _as_header(name: str, body_name: str | None = None) -> Callable[[str], Response]:
    return lambda challenge: _answered({body_name: challenge} if body_name else {}, {name: challenge})


def _header(name: str) -> Callable[[Asked], Any]:
    return lambda asked: asked.headers.get(name)


def _alone(name: str) -> Callable[[Asked], Any]:
    return lambda asked: asked.members.get(name) if len(asked.members) == 1 else None


def _if(name: str, value: str, then: str) -> Callable[[Asked], Any]:
    return lambda asked: asked.members.get(then) if asked.members.get(name) == value else None


def _subscription(asked: Asked) -> Any:
    return asked.query.get("hub.challenge") if asked.query.get("hub.mode") == "subscribe" else None


_BLIND = (
    Handshake("Okta", "GET", _header("x-okta-verification-challenge"), _as_json("verification")),
    Handshake("Meta", "GET", _subscription, _answered, _DIGITS),
    Handshake("Strava", "GET", _subscription, _as_json("hub.challenge")),
    Handshake("Dropbox, Adobe", "GET", lambda asked: asked.query.get("challenge"), _answered),
    Handshake(
        "Microsoft Graph",
        "POST",
        lambda asked: asked.query.get("validationToken") if asked.is_empty else None,
        _answered,
        _SPOKEN,
    ),
    Handshake("Asana", "POST", _header("x-hook-secret"), _as_header("x-hook-secret")),
    Handshake(
        "Smartsheet",
        "POST",
        _header("smartsheet-hook-challenge"),
        _as_header("smartsheet-hook-response", "smartsheetHookResponse"),
    ),
    Handshake("Event Grid", "POST", _event_grid_code, _as_json("validationResponse")),
    Handshake("Slack", "POST", _if("type", "url_verification", "challenge"), _answered),
    Handshake("monday", "POST", _alone("challenge"), _as_json("challenge")),
    Handshake("Toggl", "POST", _if("payload", "ping", "validation_code"), _as_json("validation_code")),
    Handshake("Notion", "POST", _alone("verification_token"), lambda _token: _answered({})),
)

_KEYED = {"zoom": _zoom, "xero": _xero, "discord": _discord}


def _json(body: bytes) -> Any:
    if len(body) > HANDSHAKE_LIMIT:
        return None
    try:
        return json_text.parse(body.decode("utf-8-sig"))
    except (UnicodeDecodeError, json_text.NotJson):
        return None
