"""Verify that the expected provider signed a delivery, using the table in `schemes`.

This module is independent of HTTP frameworks and AWS. `check` takes the delivery as received and an iterable of secrets, so
that secrets are read only as needed. Signatures cover the raw body and are compared in constant time.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from waitpoints import json_text
from waitpoints.api.providers import secret_forms
from waitpoints.api.providers.schemes import OWN, PUBLIC_KEY, SCHEMES, Header, Item, Member, Place, Scheme
from waitpoints.errors import InvalidVerification, UnusableSecret, WrittenLater, WrongSignature
from waitpoints.token import Verification

MISSING, MALFORMED, TOO_OLD, TOO_NEW, WRONG = "missing", "malformed", "too old", "too new", "wrong"

MAX_FORM_FIELDS = 1000
MAX_PUBLIC_KEY_SIGNATURES = 8
"""The most signatures accepted for a public-key scheme: verifying each one reads the whole body again."""

_NAME = re.compile(rb"\{\{|\{(\w+)\}")  # a placeholder in a scheme's content
_WHOLE_NUMBER = re.compile(r"[1-9][0-9]{0,14}")  # no zeros before it, which could be the body's
# No date of this form begins or ends with another one, so a body beside it gives it no byte.
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_BODY_SHA256 = re.compile(r"[?&]bodySHA256=([0-9a-f]{64})(?:&|$)")
_HUBSPOT_ESCAPES = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


@dataclass(frozen=True)
class Delivery:
    """A request as received. Header names are in lower case. `url` is the full URL, exactly as the provider wrote it.

    `other_url` is what the provider may have written instead, if the API has two addresses.
    """

    body: bytes
    headers: Mapping[str, str]
    url: str
    method: str = "POST"
    other_url: str | None = None

    @cached_property
    def json(self) -> Any:
        try:
            return json_text.parse(self.body.decode())
        except (UnicodeDecodeError, json_text.NotJson):
            raise WrongSignature(MALFORMED, "the body is not JSON") from None


def check_secret(verification: Verification, secret: str) -> None:
    """Raises InvalidVerification unless the secret has the form that the scheme needs."""
    form = _scheme_of(verification).key_form
    try:
        secret_forms.keys(form, secret)
    except ValueError:
        raise InvalidVerification(
            f"The secret {verification.secret} cannot be used with {verification.scheme}: it must be {secret_forms.SAID[form]}"
        ) from None


def check(verification: Verification, secrets: Iterable[str], delivery: Delivery, now: float) -> str:
    """Return the secret that the delivery was signed with. `now` is in Unix seconds. Raises WrongSignature if none matches.

    Checks the delivery itself before it reads the first secret. Raises UnusableSecret if no secret has the scheme's form, and
    WrittenLater for a scheme that only a later version knows.
    """
    scheme = _scheme_of(verification)
    signatures = _find_signatures(scheme, delivery)
    _check_time(scheme, delivery, now)
    contents = [_content(scheme, delivery, url) for url in _written_urls(scheme, delivery)]
    fits = _fits_public_key if scheme.primitive in PUBLIC_KEY else _fits_shared_key
    usable = False
    for secret in secrets:
        try:
            keys = secret_forms.keys(scheme.key_form, secret)
            if any(fits(scheme, key, signatures, content) for key in keys for content in contents):
                return secret
        except ValueError:  # the secret does not have the scheme's form
            continue
        usable = True
    if not usable:
        raise UnusableSecret
    raise WrongSignature(WRONG, "it does not match the delivery")


def _scheme_of(verification: Verification) -> Scheme:
    if verification.scheme == OWN:
        from waitpoints.api.providers import own_scheme

        return own_scheme.read(verification)
    if verification.scheme not in SCHEMES:
        raise WrittenLater
    scheme = SCHEMES[verification.scheme]
    return scheme if verification.header is None else replace(scheme, signature=Header((verification.header,)))


def _find_signatures(scheme: Scheme, delivery: Delivery) -> list[str]:
    """Return the texts in the delivery that may be its signature, at least one. Raises WrongSignature."""
    texts = _find_texts(scheme.signature, scheme, delivery)
    written = [value for text in texts for value in _items(scheme, text, scheme.prefixes)]
    if not written:
        raise WrongSignature(MALFORMED, f"no signature in {_describe(scheme.signature)}")
    if scheme.primitive in PUBLIC_KEY and len(written) > MAX_PUBLIC_KEY_SIGNATURES:
        raise WrongSignature(MALFORMED, f"more than {MAX_PUBLIC_KEY_SIGNATURES} signatures in {_describe(scheme.signature)}")
    return written


def _items(scheme: Scheme, text: str, prefixes: Sequence[str]) -> list[str]:
    """Return what follows the first fitting prefix in each item of a header that has one."""
    items = [item.strip() for item in (text.split(scheme.between) if scheme.between else [text])]
    found = [next((item[len(prefix) :] for prefix in prefixes if item.startswith(prefix)), "") for item in items]
    return [value for value in found if value]


def _find_texts(place: Place, scheme: Scheme, delivery: Delivery) -> list[str]:
    """Return the texts at a place in the delivery, at least one. Raises WrongSignature."""
    match place:
        case Header(names):
            texts = [delivery.headers[name] for name in names if delivery.headers.get(name)]
        case Item(prefix, header):
            headers = _find_texts(header or scheme.signature, scheme, delivery)
            texts = [value for text in headers for value in _items(scheme, text, (prefix,))]
        case Member(path):
            value = delivery.json
            for name in path:
                value = value.get(name) if isinstance(value, dict) else None
            texts = [str(value)] if isinstance(value, (str, int)) else []
    if not texts:
        raise WrongSignature(MISSING, f"no {_describe(place)}")
    return texts


def _describe(place: Place) -> str:
    match place:
        case Header(names):
            return f"{names[0]} header"
        case Item(prefix, header):
            return f"{prefix} in the {header.names[0] if header else 'signature'} header"
        case Member(path):
            return f"{'.'.join(path)} in the body"


def _check_time(scheme: Scheme, delivery: Delivery, now: float) -> None:
    if "ts" not in scheme.parts:
        return
    signed_at = _seconds(scheme, _find_texts(scheme.parts["ts"], scheme, delivery)[0])
    if now - signed_at > scheme.tolerance:
        raise WrongSignature(TOO_OLD, f"signed more than {scheme.tolerance} seconds ago")
    if signed_at - now > scheme.tolerance:
        raise WrongSignature(TOO_NEW, f"signed more than {scheme.tolerance} seconds from now")


def _seconds(scheme: Scheme, text: str) -> float:
    """Parse a signing time. Returns Unix seconds. Raises WrongSignature."""
    if scheme.unit != "iso" and _WHOLE_NUMBER.fullmatch(text):
        return int(text) if scheme.unit == "s" else int(text) / 1000
    if scheme.unit == "iso" and _ISO.fullmatch(text):
        from datetime import datetime

        try:
            return datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            pass
    raise WrongSignature(MALFORMED, f"no valid time in {_describe(scheme.parts['ts'])}")


def _content(scheme: Scheme, delivery: Delivery, url: str) -> bytes:
    """Return the signed bytes. Placeholders are replaced in one pass, so text like `{ts}` in the body stays as it is."""
    return _NAME.sub(lambda it: _value(it[1].decode(), scheme, delivery, url) if it[1] else b"{", scheme.content.encode())


def _value(name: str, scheme: Scheme, delivery: Delivery, url: str) -> bytes:
    match name:
        case "body":
            return delivery.body
        case "body_sha256":
            return hashlib.sha256(delivery.body).hexdigest().encode()
        case "sorted_form":
            return _sorted_form(delivery)
        case "url":
            text = url
        case "method":
            text = delivery.method
        case _:
            text = _find_texts(scheme.parts[name], scheme, delivery)[0]
    varying = "".join(text.partition("?")[1:]) if name == "url" else text
    if name in scheme.fences and scheme.fences[name] in varying:  # the content could be read in two ways
        part, character = "query" if name == "url" else _describe(scheme.parts[name]), json_text.dumps(scheme.fences[name])
        raise WrongSignature(MALFORMED, f"the {part} has {character}, which ends it in the signed text")
    return text.encode("utf-8", "surrogatepass")


def _sorted_form(delivery: Delivery) -> bytes:
    """Return what Twilio signs of a body: a form's sorted fields. For any other body it signs only the hash in the URL."""
    hashed = _BODY_SHA256.search(delivery.url)
    if hashed and hashed[1] != hashlib.sha256(delivery.body).hexdigest():
        raise WrongSignature(WRONG, "bodySHA256 in the URL does not match the body")
    if delivery.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
        try:
            fields = parse_qsl(delivery.body.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
        except ValueError:
            raise WrongSignature(MALFORMED, "the body is not a form") from None
        return "".join(name + value for name, value in sorted(set(fields))).encode()
    if delivery.body and not hashed:
        raise WrongSignature(MISSING, "no bodySHA256 in the URL")
    return b""


def _written_urls(scheme: Scheme, delivery: Delivery) -> list[str]:
    """Return what the provider may have signed as the URL. If it signs none, any text will do."""
    urls = [delivery.url]
    if delivery.other_url and "{url}" in scheme.content:
        urls.append(delivery.other_url)
    return [written for url in urls for written in _URL_FORMS[scheme.url_forms](url)]


def _with_and_without_port(url: str) -> list[str]:
    """Twilio signs the URL with or without its port, no matter which one it was given."""
    protocol, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    port = {"https": ":443", "http": ":80"}.get(protocol, "")
    host = host.removesuffix(port)
    return [f"{protocol}://{host}{slash}{path}", f"{protocol}://{host}{port}{slash}{path}"]


_URL_FORMS: Mapping[str, Callable[[str], list[str]]] = {
    "as sent": lambda url: [url],
    "with and without port": _with_and_without_port,
    # HubSpot's documentation says to decode these escapes before signing; its own libraries do not.
    "with and without escapes": lambda url: list({url, _HUBSPOT_ESCAPES.sub(lambda escape: chr(int(escape[1], 16)), url)}),
}


def _fits_shared_key(scheme: Scheme, key: bytes, signatures: Sequence[str], content: bytes) -> bool:
    if scheme.primitive == "equal":
        expected = key
    else:
        digest = hmac.digest(key, content, scheme.primitive.removeprefix("hmac-"))
        expected = _encoded(scheme, digest).encode()
    return any(hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass")) for signature in signatures)


def _fits_public_key(scheme: Scheme, key: bytes, signatures: Sequence[str], content: bytes) -> bool:
    from waitpoints.api.providers import public_keys

    verify = public_keys.verify_ed25519 if scheme.primitive == "ed25519" else public_keys.verify_ecdsa_p256
    return any(verify(key, decoded, content) for signature in signatures if (decoded := _decoded(scheme, signature)))


def _encoded(scheme: Scheme, signature: bytes) -> str:
    return signature.hex() if scheme.encoding == "hex" else base64.b64encode(signature).decode()


def _decoded(scheme: Scheme, signature: str) -> bytes | None:
    """Decode a signature. None if it is invalid, or if encoding the bytes again gives another text."""
    try:
        decoded = bytes.fromhex(signature) if scheme.encoding == "hex" else base64.b64decode(signature)
    except ValueError:
        return None
    return decoded if _encoded(scheme, decoded) == signature else None
