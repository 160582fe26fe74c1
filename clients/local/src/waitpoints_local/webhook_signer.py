"""Deliveries signed as each provider signs them, written out from the providers' documentation.

It shares nothing with the verifier and does not read its table, so that a mistake in one does not hide in the other. Schemes
with public keys have a key pair of a stand-in here, which everyone knows: it proves nothing beyond this machine.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORM = "application/x-www-form-urlencoded"


class CannotSign(ValueError):
    """A delivery cannot be signed. The message says why, and what can be."""


@dataclass(frozen=True)
class Sent:
    """A delivery. Some schemes sign a time in the body, or add to the URL."""

    body: bytes
    headers: dict[str, str]
    url: str


@dataclass(frozen=True)
class Request:
    scheme: str
    secret: str
    body: bytes
    url: str
    now: float
    content_type: str
    header: str
    row: Mapping[str, Any]
    extra: Mapping[str, str]

    @property
    def ts(self) -> str:
        return str(int(self.now))

    @property
    def ms(self) -> int:
        return int(self.now * 1000)

    def hex(self, content: bytes, digest: str = "sha256") -> str:
        return hmac.new(self.secret.encode(), content, digest).hexdigest()

    def base64(self, content: bytes, digest: str = "sha256") -> str:
        return base64.b64encode(hmac.new(self.secret.encode(), content, digest).digest()).decode()

    def signed(self, headers: Mapping[str, str], body: bytes | None = None, url: str | None = None) -> Sent:
        return Sent(self.body if body is None else body, dict(headers), url or self.url)


Signer = Callable[[Request], Sent]
_signers: dict[str, Signer] = {}
_public_keys: dict[str, Callable[[], str]] = {}


def _of(*schemes: str, public_key: Callable[[], str] | None = None) -> Callable[[Signer], Signer]:
    def register(signer: Signer) -> Signer:
        _signers.update(dict.fromkeys(schemes, signer))
        if public_key:
            _public_keys.update(dict.fromkeys(schemes, public_key))
        return signer

    return register


def sign(
    scheme: str,
    secret: str,
    body: bytes,
    url: str,
    now: float,
    *,
    content_type: str = "application/json",
    header: str = "",
    row: Mapping[str, Any] = {},
    extra: Mapping[str, str] = {},
) -> Sent:
    """Return a delivery of this body, signed at `now` (Unix seconds). `header` is where the scheme `token` has the secret.

    `row` is the `verify` of the scheme `hmac`, and `extra` are headers that it may sign.

    For a scheme with a public key, the stand-in's private key signs. Raises CannotSign for a scheme that does not exist, and
    for a body that cannot be signed.
    """
    signer = _signers[check_scheme(scheme)]
    return signer(Request(scheme, secret.rstrip("\r\n"), body, url, now, content_type, header, row, extra))


def check_scheme(scheme: str) -> str:
    """Return the scheme. Raises CannotSign, with all that exist, if there is none of this name."""
    if scheme in _signers:
        return scheme
    raise CannotSign(f"there is no scheme {scheme}: use one of {', '.join(schemes())}")


def schemes() -> list[str]:
    return sorted(_signers)


def public_key_of(scheme: str) -> str | None:
    """Return the stand-in's public key, as the provider shows its own; None for a scheme whose secret both sides have."""
    public_key = _public_keys.get(scheme)
    return public_key() if public_key else None


@cache
def _ed25519() -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - slow, and few schemes need it

    return ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def _ed25519_public() -> bytes:
    return _ed25519().public_key().public_bytes_raw()


def _key_set() -> str:
    x = base64.urlsafe_b64encode(_ed25519_public()).decode().rstrip("=")
    return json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]})


@cache
def _p256() -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return ec.derive_private_key(0x5EC2E7, ec.SECP256R1())


def _p256_public() -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    return base64.b64encode(_p256().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


# Standard Webhooks


def _standard_headers(request: Request, prefix: str) -> dict[str, str]:
    text = request.secret.removeprefix("whsec_")
    is_text = request.scheme == "openai" and text == request.secret
    key = text.encode() if is_text else base64.b64decode(text + "=" * (-len(text) % 4))
    message = _new_id("msg_")
    content = f"{message}.{request.ts}.".encode() + request.body
    signature = base64.b64encode(hmac.new(key, content, "sha256").digest()).decode()
    return {f"{prefix}-id": message, f"{prefix}-timestamp": request.ts, f"{prefix}-signature": f"v1,{signature}"}


def _new_id(prefix: str = "") -> str:
    """Return an id that no other delivery has: an endpoint's key may be made of it."""
    return f"{prefix}{uuid.uuid4().hex}"


@_of("standard-webhooks", "anthropic", "gemini", "gitlab", "openai", "replicate")
def _standard(request: Request) -> Sent:
    return request.signed(_standard_headers(request, "webhook"))


@_of("svix", "clerk", "resend")
def _svix(request: Request) -> Sent:
    return request.signed(_standard_headers(request, "svix"))


@_of("standard-webhooks-v1a", public_key=lambda: "whpk_" + base64.b64encode(_ed25519_public()).decode())
def _standard_v1a(request: Request) -> Sent:
    message = _new_id("msg_")
    signature = base64.b64encode(_ed25519().sign(f"{message}.{request.ts}.".encode() + request.body)).decode()
    headers = {"webhook-id": message, "webhook-timestamp": request.ts, "webhook-signature": f"v1a,{signature}"}
    return request.signed(headers)


# HMAC over the body alone


def _bare(scheme: str, header: str, encode: Callable[[Request], str]) -> None:
    _of(scheme)(lambda request: request.signed({header: encode(request)}))


_bare("github", "x-hub-signature-256", lambda it: f"sha256={it.hex(it.body)}")
_bare("meta", "x-hub-signature-256", lambda it: f"sha256={it.hex(it.body)}")
_bare("bitbucket", "x-hub-signature", lambda it: f"sha256={it.hex(it.body)}")
_bare("jira", "x-hub-signature", lambda it: f"sha256={it.hex(it.body)}")
_bare("intercom", "x-hub-signature", lambda it: f"sha1={it.hex(it.body, 'sha1')}")
_bare("asana", "x-hook-signature", lambda it: it.hex(it.body))
_bare("docusign", "x-docusign-signature-1", lambda it: it.base64(it.body))
_bare("dropbox", "x-dropbox-signature", lambda it: it.hex(it.body))
_bare("notion", "x-notion-signature", lambda it: f"sha256={it.hex(it.body)}")
_bare("pagerduty", "x-pagerduty-signature", lambda it: f"v1={it.hex(it.body)}")
_bare("sentry", "sentry-hook-signature", lambda it: it.hex(it.body))
_bare("shopify", "x-shopify-hmac-sha256", lambda it: it.base64(it.body))
_bare("smartsheet", "smartsheet-hmac-sha256", lambda it: it.hex(it.body))
_bare("typeform", "typeform-signature", lambda it: f"sha256={it.base64(it.body)}")
_bare("vercel", "x-vercel-signature", lambda it: it.hex(it.body, "sha1"))
_bare("webex", "x-spark-signature", lambda it: it.hex(it.body, "sha1"))
_bare("x", "x-twitter-webhooks-signature", lambda it: f"sha256={it.base64(it.body)}")
_bare("xero", "x-xero-signature", lambda it: it.base64(it.body))
_bare("square", "x-square-hmacsha256-signature", lambda it: it.base64(it.url.encode() + it.body))
_bare("trello", "x-trello-webhook", lambda it: it.base64(it.body + it.url.encode(), "sha1"))


@_of("linear")
def _linear(request: Request) -> Sent:
    body = _with_members(request, webhookTimestamp=request.ms)
    return request.signed({"linear-signature": request.hex(body)}, body)


def _with_members(request: Request, **members: Any) -> bytes:
    """Return the body with these members. Raises CannotSign unless it is a JSON object."""
    try:
        found = json.loads(request.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CannotSign(f"{request.scheme} signs {' and '.join(members)} in the body, which must be a JSON object")
    return json.dumps({**found, **members}, ensure_ascii=False).encode()


# HMAC over a time and the body


def _timed(scheme: str, header: str, form: str) -> None:
    def signer(request: Request) -> Sent:
        signature = request.hex(f"{request.ts}.".encode() + request.body)
        return request.signed({header: form.format(ts=request.ts, signature=signature)})

    _of(scheme)(signer)


_timed("stripe", "stripe-signature", "t={ts},v1={signature}")
_timed("calendly", "calendly-webhook-signature", "t={ts},v1={signature}")
_timed("mux", "mux-signature", "t={ts},v1={signature}")
_timed("elevenlabs", "elevenlabs-signature", "t={ts},v0={signature}")
_timed("cloudflare-stream", "webhook-signature", "time={ts},sig1={signature}")


@_of("paddle")
def _paddle(request: Request) -> Sent:
    return request.signed({"paddle-signature": f"ts={request.ts};h1={request.hex(f'{request.ts}:'.encode() + request.body)}"})


def _v0(scheme: str, signature: str, timestamp: str) -> None:
    def signer(request: Request) -> Sent:
        signed = request.hex(f"v0:{request.ts}:".encode() + request.body)
        return request.signed({signature: f"v0={signed}", timestamp: request.ts})

    _of(scheme)(signer)


_v0("slack", "x-slack-signature", "x-slack-request-timestamp")
_v0("zoom", "x-zm-signature", "x-zm-request-timestamp")


@_of("box")
def _box(request: Request) -> Sent:
    at = datetime.fromtimestamp(int(request.now), UTC).isoformat()
    return request.signed({"box-signature-primary": request.base64(request.body + at.encode()), "box-delivery-timestamp": at})


@_of("hubspot")
def _hubspot(request: Request) -> Sent:
    at = str(request.ms)
    signature = request.base64(b"POST" + request.url.encode() + request.body + at.encode())
    return request.signed({"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": at})


@_of("mailgun")
def _mailgun(request: Request) -> Sent:
    token = secrets.token_hex(25)
    fields = {"timestamp": request.ts, "token": token, "signature": request.hex((request.ts + token).encode())}
    return request.signed({}, _with_members(request, signature=fields))


@_of("twilio")
def _twilio(request: Request) -> Sent:
    """A form's fields are signed; any other body by its hash, in the URL."""
    url, fields = request.url, ""
    if request.content_type.lower().startswith(FORM):
        fields = "".join(name + value for name, value in sorted(parse_qsl(request.body.decode(), keep_blank_values=True)))
    elif request.body:
        url += f"{'&' if '?' in url else '?'}bodySHA256={hashlib.sha256(request.body).hexdigest()}"
    return request.signed({"x-twilio-signature": request.base64((url + fields).encode(), "sha1")}, url=url)


# Public keys


@_of("discord", public_key=lambda: _ed25519_public().hex())
def _discord(request: Request) -> Sent:
    signature = _ed25519().sign(request.ts.encode() + request.body).hex()
    return request.signed({"x-signature-ed25519": signature, "x-signature-timestamp": request.ts})


@_of("fal", public_key=_key_set)
def _fal(request: Request) -> Sent:
    request_id = _new_id()
    content = "\n".join([request_id, "user_1", request.ts, hashlib.sha256(request.body).hexdigest()])
    headers = {
        "x-fal-webhook-request-id": request_id,
        "x-fal-webhook-user-id": "user_1",
        "x-fal-webhook-timestamp": request.ts,
        "x-fal-webhook-signature": _ed25519().sign(content.encode()).hex(),
    }
    return request.signed(headers)


@_of("sendgrid", public_key=_p256_public)
def _sendgrid(request: Request) -> Sent:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    signature = _p256().sign(request.ts.encode() + request.body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": request.ts,
    }
    return request.signed(headers)


@_of("token")
def _token(request: Request) -> Sent:
    return request.signed({request.header: request.secret})


# As the user has described it


@_of("hmac")
def _described(request: Request) -> Sent:
    row = request.row
    if "header" not in row:
        raise CannotSign("hmac is described in `verify`, and there is no description: leave --scheme out")
    time, name_of = row.get("timestamp", {}), row["header"].lower()
    now = {"s": request.ts, "ms": str(request.ms), "iso": datetime.fromtimestamp(int(request.now), UTC).isoformat()}
    at, headers = now[time.get("unit", "s")], {name.lower(): value for name, value in request.extra.items()}
    content = _described_content(request, at, headers)
    digest = hmac.new(_described_key(request), content, row.get("algorithm", "sha256")).digest()
    encoded = base64.b64encode(digest).decode() if row.get("encoding") == "base64" else digest.hex()
    items = [row.get("prefix", "") + encoded]
    if time.get("header", name_of).lower() != name_of:
        headers[time["header"].lower()] = time.get("prefix", "") + at
    elif time:
        items.insert(0, time["prefix"] + at)
    return request.signed({**headers, name_of: row.get("separator", "").join(items)})


def _described_content(request: Request, at: str, headers: dict[str, str]) -> bytes:
    """Return the signed bytes. A signed header that is not in `headers` is made, and added to them."""
    values = {
        "{{": b"{",
        "{body}": request.body,
        "{timestamp}": at.encode(),
        "{url}": request.url.encode(),
        "{method}": b"POST",
    }
    content = b""
    for part in re.findall(r"\{\{|\{[^}]*\}|[^{]+", request.row.get("signed", "{body}")):
        header = part[8:-1].lower() if part.startswith("{header:") else None
        text = headers.setdefault(header, _new_id()).encode() if header else values.get(part, part.encode())
        content += text
    return content


def _described_key(request: Request) -> bytes:
    match request.row.get("secretEncoding", "text"):
        case "hex":
            return bytes.fromhex(request.secret)
        case "text":
            return request.secret.encode()
    text = request.secret.removeprefix("whsec_")
    return base64.b64decode(text + "=" * (-len(text) % 4))
