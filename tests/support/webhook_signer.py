"""Deliveries signed as each provider signs them, written out from the providers' documentation.

It shares nothing with the verifier and does not read its table, so that a mistake in one does not hide in the other.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

PLAIN = "a secret as it is shown"
WHSEC = "whsec_" + base64.b64encode(b"24 bytes or more, in base64").decode()
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED25519_PUBLIC = ED25519.public_key().public_bytes_raw()
FAL_KEYS = json.dumps(
    {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(ED25519_PUBLIC).decode().rstrip("=")}]}
)
P256 = ec.derive_private_key(0x5EC2E7, ec.SECP256R1())
P256_SPKI = P256.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True)
class Signed:
    body: bytes
    headers: dict[str, str]
    url: str


@dataclass(frozen=True)
class Request:
    body: bytes
    url: str
    now: float
    secret: str

    @property
    def ts(self) -> str:
        return str(int(self.now))

    def hex(self, content: bytes, digest: str = "sha256") -> str:
        return hmac.new(self.secret.encode(), content, digest).hexdigest()

    def base64(self, content: bytes, digest: str = "sha256") -> str:
        return base64.b64encode(hmac.new(self.secret.encode(), content, digest).digest()).decode()

    def signed(self, headers: Mapping[str, str], body: bytes | None = None, url: str | None = None) -> Signed:
        return Signed(self.body if body is None else body, dict(headers), url or self.url)


Signer = Callable[[Request], Signed]
_signers: dict[str, tuple[str, Signer]] = {}


def _of(*schemes: str, secret: str = PLAIN) -> Callable[[Signer], Signer]:
    def register(signer: Signer) -> Signer:
        _signers.update(dict.fromkeys(schemes, (secret, signer)))
        return signer

    return register


def sign(scheme: str, body: bytes, url: str, now: float, secret: str | None = None) -> Signed:
    """A delivery of this body, or of one of the scheme's own form, signed at `now` (Unix seconds)."""
    usual, signer = _signers[scheme]
    return signer(Request(body, url, now, secret or usual))


def secret_of(scheme: str) -> str:
    """The secret that this scheme's deliveries are signed with, in the form in which the provider shows it."""
    return _signers[scheme][0]


def schemes() -> list[str]:
    return sorted(_signers)


# Standard Webhooks


def _standard_headers(request: Request, prefix: str) -> dict[str, str]:
    key = base64.b64decode(request.secret.removeprefix("whsec_"))
    content = f"msg_1.{request.ts}.".encode() + request.body
    signature = base64.b64encode(hmac.new(key, content, "sha256").digest()).decode()
    return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": request.ts, f"{prefix}-signature": f"v1,{signature}"}


@_of("standard-webhooks", "anthropic", "gemini", "gitlab", "openai", "replicate", secret=WHSEC)
def _standard(request: Request) -> Signed:
    return request.signed(_standard_headers(request, "webhook"))


@_of("svix", "clerk", "resend", secret=WHSEC)
def _svix(request: Request) -> Signed:
    return request.signed(_standard_headers(request, "svix"))


@_of("standard-webhooks-v1a", secret="whpk_" + base64.b64encode(ED25519_PUBLIC).decode())
def _standard_v1a(request: Request) -> Signed:
    signature = base64.b64encode(ED25519.sign(f"msg_1.{request.ts}.".encode() + request.body)).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": request.ts, "webhook-signature": f"v1a,{signature}"}
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
def _linear(request: Request) -> Signed:
    of_its_own = json.dumps({"action": "create", "webhookTimestamp": int(request.now * 1000)}).encode()
    body = request.body if b"webhookTimestamp" in request.body else of_its_own
    return request.signed({"linear-signature": request.hex(body)}, body)


# HMAC over a time and the body


def _timed(scheme: str, header: str, form: str) -> None:
    def signer(request: Request) -> Signed:
        signature = request.hex(f"{request.ts}.".encode() + request.body)
        return request.signed({header: form.format(ts=request.ts, signature=signature)})

    _of(scheme)(signer)


_timed("stripe", "stripe-signature", "t={ts},v1={signature}")
_timed("calendly", "calendly-webhook-signature", "t={ts},v1={signature}")
_timed("mux", "mux-signature", "t={ts},v1={signature}")
_timed("elevenlabs", "elevenlabs-signature", "t={ts},v0={signature}")
_timed("cloudflare-stream", "webhook-signature", "time={ts},sig1={signature}")


@_of("paddle")
def _paddle(request: Request) -> Signed:
    return request.signed({"paddle-signature": f"ts={request.ts};h1={request.hex(f'{request.ts}:'.encode() + request.body)}"})


def _v0(scheme: str, signature: str, timestamp: str) -> None:
    def signer(request: Request) -> Signed:
        signed = request.hex(f"v0:{request.ts}:".encode() + request.body)
        return request.signed({signature: f"v0={signed}", timestamp: request.ts})

    _of(scheme)(signer)


_v0("slack", "x-slack-signature", "x-slack-request-timestamp")
_v0("zoom", "x-zm-signature", "x-zm-request-timestamp")


@_of("box")
def _box(request: Request) -> Signed:
    at = datetime.fromtimestamp(int(request.now), UTC).isoformat()
    return request.signed({"box-signature-primary": request.base64(request.body + at.encode()), "box-delivery-timestamp": at})


@_of("hubspot")
def _hubspot(request: Request) -> Signed:
    at = str(int(request.now * 1000))
    signature = request.base64(b"POST" + request.url.encode() + request.body + at.encode())
    return request.signed({"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": at})


@_of("mailgun")
def _mailgun(request: Request) -> Signed:
    token = "5egbgr1vjgqxtrnp65xfznchgdccwh5d6i09vijqi3whgowmn6"
    fields = {"timestamp": request.ts, "token": token, "signature": request.hex((request.ts + token).encode())}
    return request.signed({}, json.dumps({"signature": fields}).encode())


@_of("twilio")
def _twilio(request: Request) -> Signed:
    fields = {"To": "+18005551212", "Body": "", "CallSid": "CA1234567890ABCDE", "Digits": "1234"}
    content = request.url + "BodyCallSidCA1234567890ABCDEDigits1234To+18005551212"
    headers = {"x-twilio-signature": request.base64(content.encode(), "sha1")}
    return request.signed({**headers, "content-type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())


# Public keys


@_of("discord", secret=ED25519_PUBLIC.hex())
def _discord(request: Request) -> Signed:
    signature = ED25519.sign(request.ts.encode() + request.body).hex()
    return request.signed({"x-signature-ed25519": signature, "x-signature-timestamp": request.ts})


@_of("fal", secret=FAL_KEYS)
def _fal(request: Request) -> Signed:
    content = "\n".join(["request_1", "user_1", request.ts, hashlib.sha256(request.body).hexdigest()])
    headers = {
        "x-fal-webhook-request-id": "request_1",
        "x-fal-webhook-user-id": "user_1",
        "x-fal-webhook-timestamp": request.ts,
        "x-fal-webhook-signature": ED25519.sign(content.encode()).hex(),
    }
    return request.signed(headers)


@_of("sendgrid", secret=base64.b64encode(P256_SPKI).decode())
def _sendgrid(request: Request) -> Signed:
    signature = P256.sign(request.ts.encode() + request.body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": request.ts,
    }
    return request.signed(headers)


@_of("token")
def _token(request: Request) -> Signed:
    return request.signed({"x-gitlab-token": request.secret})
