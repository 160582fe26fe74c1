"""How each webhook provider signs: one row per scheme, as data only.

A row says where the signatures are, what is signed, with which primitive, and how old a delivery may be. `signatures`
verifies deliveries by these rows. To add a provider, add a row. Extend `Scheme` only if no row can describe the provider.
Sources: the providers' documentation and official libraries. docs/webhooks.md has the list for users.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Header:
    """The value of a request header. Names are in lower case, the preferred one first."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """What follows `prefix` in an item of the signature header, or of another `header`: `t=` in `t=1700000000,v1=ab`."""

    prefix: str
    header: Header | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A string or an integer in the JSON body."""

    path: tuple[str, ...]


Place = Header | Item | Member

Primitive = Literal["hmac-sha256", "hmac-sha1", "hmac-sha384", "hmac-sha512", "ed25519", "ecdsa-p256", "equal"]


@dataclass(frozen=True, slots=True)
class Scheme:
    signature: Header | Member
    """Where the signatures are. One valid signature in any of the headers is enough."""

    content: str = "{body}"
    """The signed content: `{body}`, `{body_sha256}`, `{method}`, `{url}`, `{sorted_form}`, a name in `parts`, or `{{`."""

    primitive: Primitive = "hmac-sha256"
    encoding: Literal["hex", "base64"] = "hex"

    prefixes: tuple[str, ...] = ("",)
    """What an item that is a signature begins with, and does not count as part of it."""
    between: str = ""  # separates items; "" if there is only one

    parts: Mapping[str, Place] = field(default_factory=dict)
    """Where the other signed parts are. `ts` is the signing time; without it, age is not checked."""
    unit: Literal["s", "ms", "iso"] = "s"
    tolerance: int = 300  # seconds, in both directions

    url_forms: Literal["as sent", "with and without port", "with and without escapes"] = "as sent"

    key_form: Literal["text", "whsec", "whsec or text", "hex", "base64", "ed25519 hex", "whpk", "jwks", "spki"] = "text"
    """How the secret encodes the key. "text": its text is the key, even if it looks like base64 or starts with whsec_."""

    fences: Mapping[str, str] = field(default_factory=dict)
    """For a part of the content, the character that ends it there, which it may not contain."""


def _header(*names: str) -> Header:
    return Header(names)


def _standard_webhooks(*prefixes: str) -> Scheme:
    def header(name: str) -> Header:
        return Header(tuple(f"{prefix}-{name}" for prefix in prefixes))

    return Scheme(
        header("signature"),
        "{id}.{ts}.{body}",
        encoding="base64",
        prefixes=("v1,",),
        between=" ",
        parts={"id": header("id"), "ts": header("timestamp")},
        key_form="whsec",
    )


def _timestamp_in_header(header: str, time_prefix: str, signature_prefix: str, tolerance: int = 300) -> Scheme:
    """The header is `<time prefix><seconds>,<signature prefix><hex>[,…]`. It signs the time, a dot and the body."""
    return Scheme(
        _header(header),
        "{ts}.{body}",
        prefixes=(signature_prefix,),
        between=",",
        parts={"ts": Item(time_prefix)},
        tolerance=tolerance,
    )


def _v0(signature: str, timestamp: str) -> Scheme:
    return Scheme(_header(signature), "v0:{ts}:{body}", prefixes=("v0=",), parts={"ts": _header(timestamp)})


_STANDARD = _standard_webhooks("webhook")
_SVIX = _standard_webhooks("svix", "webhook")
_HUB = Scheme(_header("x-hub-signature"), prefixes=("sha256=",))
_HUB_256 = Scheme(_header("x-hub-signature-256"), prefixes=("sha256=",))

SCHEMES: Mapping[str, Scheme] = {
    # The Standard Webhooks specification and providers that follow it
    "standard-webhooks": _STANDARD,
    "standard-webhooks-v1a": replace(_STANDARD, primitive="ed25519", prefixes=("v1a,",), key_form="whpk"),
    "anthropic": _STANDARD,
    "gemini": _STANDARD,
    "gitlab": _STANDARD,
    "openai": replace(_STANDARD, prefixes=("v1,", ""), key_form="whsec or text"),
    "replicate": _STANDARD,
    "svix": _SVIX,
    "resend": _SVIX,
    "clerk": _standard_webhooks("svix"),
    # HMAC over the body alone
    "asana": Scheme(_header("x-hook-signature")),
    "bitbucket": _HUB,
    "docusign": Scheme(Header(tuple(f"x-docusign-signature-{n}" for n in range(1, 101))), encoding="base64"),
    "dropbox": Scheme(_header("x-dropbox-signature")),
    "github": _HUB_256,
    "intercom": Scheme(_header("x-hub-signature"), prefixes=("sha1=",), primitive="hmac-sha1"),
    "jira": _HUB,
    "linear": Scheme(_header("linear-signature"), parts={"ts": Member(("webhookTimestamp",))}, unit="ms", tolerance=60),
    "meta": _HUB_256,
    "notion": Scheme(_header("x-notion-signature"), prefixes=("sha256=",)),
    "pagerduty": Scheme(_header("x-pagerduty-signature"), prefixes=("v1=",), between=","),
    "sentry": Scheme(_header("sentry-hook-signature")),
    "shopify": Scheme(_header("x-shopify-hmac-sha256"), encoding="base64"),
    "smartsheet": Scheme(_header("smartsheet-hmac-sha256")),
    "typeform": Scheme(_header("typeform-signature"), prefixes=("sha256=",), encoding="base64"),
    "vercel": Scheme(_header("x-vercel-signature"), primitive="hmac-sha1"),
    "webex": Scheme(_header("x-spark-signature"), primitive="hmac-sha1"),
    "x": Scheme(_header("x-twitter-webhooks-signature"), prefixes=("sha256=",), encoding="base64"),
    "xero": Scheme(_header("x-xero-signature"), encoding="base64"),
    # HMAC over the signing time and the body
    "box": Scheme(
        _header("box-signature-primary", "box-signature-secondary"),
        "{body}{ts}",
        encoding="base64",
        parts={"ts": _header("box-delivery-timestamp")},
        unit="iso",
        tolerance=600,
    ),
    "calendly": _timestamp_in_header("calendly-webhook-signature", "t=", "v1=", tolerance=180),
    "cloudflare-stream": _timestamp_in_header("webhook-signature", "time=", "sig1="),
    "elevenlabs": _timestamp_in_header("elevenlabs-signature", "t=", "v0=", tolerance=1800),
    "mailgun": Scheme(  # the body is not signed
        Member(("signature", "signature")),
        "{ts}{token}",
        parts={"ts": Member(("signature", "timestamp")), "token": Member(("signature", "token"))},
    ),
    "mux": _timestamp_in_header("mux-signature", "t=", "v1="),
    "paddle": Scheme(
        _header("paddle-signature"), "{ts}:{body}", prefixes=("h1=",), between=";", parts={"ts": Item("ts=")}, tolerance=5
    ),
    "slack": _v0("x-slack-signature", "x-slack-request-timestamp"),
    "stripe": _timestamp_in_header("stripe-signature", "t=", "v1="),
    "zoom": _v0("x-zm-signature", "x-zm-request-timestamp"),
    # HMAC over the URL too
    "hubspot": Scheme(
        _header("x-hubspot-signature-v3"),
        "{method}{url}{body}{ts}",
        encoding="base64",
        parts={"ts": _header("x-hubspot-request-timestamp")},
        unit="ms",
        url_forms="with and without escapes",
    ),
    "square": Scheme(_header("x-square-hmacsha256-signature"), content="{url}{body}", encoding="base64"),
    "trello": Scheme(_header("x-trello-webhook"), content="{body}{url}", primitive="hmac-sha1", encoding="base64"),
    "twilio": Scheme(
        _header("x-twilio-signature"),
        "{url}{sorted_form}",
        primitive="hmac-sha1",
        encoding="base64",
        url_forms="with and without port",
    ),
    # Public keys
    "discord": Scheme(
        _header("x-signature-ed25519"),
        "{ts}{body}",
        primitive="ed25519",
        parts={"ts": _header("x-signature-timestamp")},
        key_form="ed25519 hex",
    ),
    "fal": Scheme(
        _header("x-fal-webhook-signature"),
        "{id}\n{user}\n{ts}\n{body_sha256}",
        primitive="ed25519",
        parts={
            "id": _header("x-fal-webhook-request-id"),
            "user": _header("x-fal-webhook-user-id"),
            "ts": _header("x-fal-webhook-timestamp"),
        },
        key_form="jwks",
    ),
    "sendgrid": Scheme(
        _header("x-twilio-email-event-webhook-signature"),
        "{ts}{body}",
        primitive="ecdsa-p256",
        encoding="base64",
        parts={"ts": _header("x-twilio-email-event-webhook-timestamp")},
        key_form="spki",
    ),
    # No signature: the provider repeats the secret in a header that the token names
    "token": Scheme(_header(), primitive="equal"),
}

OWN = "hmac"  # the scheme of a row that the user writes: `own_scheme`

PUBLIC_KEY = ("ed25519", "ecdsa-p256")  # primitives that verify with a public key

ALIASES: Mapping[str, str] = {"twitter": "x"}
