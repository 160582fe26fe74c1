"""What a secret's text holds, by the scheme's word for it: the bytes of one key or of several.

Each function raises ValueError, which never carries the secret, if the text is not of that form.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

from waitpoints import json_text

P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
"""How the DER SubjectPublicKeyInfo of an uncompressed P-256 key starts; 64 bytes follow (RFC 5480)."""


def keys(form: str, secret: str) -> tuple[bytes, ...]:
    """The keys in a secret; a new line at its end, which files tend to have, is not part of it."""
    return _READERS[form](secret.rstrip("\r\n"))


def _text(secret: str) -> tuple[bytes, ...]:
    if not secret:
        raise ValueError("empty")
    return (secret.encode("utf-8", "surrogatepass"),)


def _whsec(secret: str) -> tuple[bytes, ...]:
    key = _base64(secret.removeprefix("whsec_"))
    if not key:
        raise ValueError("empty")
    return (key,)


def _whsec_or_text(secret: str) -> tuple[bytes, ...]:
    return _whsec(secret) if secret.startswith("whsec_") else _text(secret)


def _hex(secret: str) -> tuple[bytes, ...]:
    return (_ed25519(bytes.fromhex(secret)),)


def _whpk(secret: str) -> tuple[bytes, ...]:
    return (_ed25519(_base64(secret.removeprefix("whpk_"))),)


def _jwks(secret: str) -> tuple[bytes, ...]:
    """A JSON Web Key Set (RFC 7517) with Ed25519 keys (RFC 8037); other keys in it are skipped."""
    document = json_text.parse(secret)
    listed = document.get("keys") if isinstance(document, dict) else None
    texts = [
        key["x"]
        for key in (listed if isinstance(listed, list) else [])
        if isinstance(key, dict) and key.get("crv", "Ed25519") == "Ed25519" and isinstance(key.get("x"), str)
    ]
    if not texts:
        raise ValueError("no Ed25519 key")
    return tuple(_ed25519(_base64(text.replace("-", "+").replace("_", "/"))) for text in texts)


def _spki(secret: str) -> tuple[bytes, ...]:
    key = _base64(secret)
    if not key.startswith(P256_SPKI) or len(key) != len(P256_SPKI) + 64:
        raise ValueError("not a P-256 key")
    return (key,)


def _ed25519(key: bytes) -> bytes:
    if len(key) != 32:
        raise ValueError("not 32 bytes")
    return key


def _base64(text: str) -> bytes:
    """Padding may be missing, as Standard Webhooks libraries allow."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


_READERS: Mapping[str, Callable[[str], tuple[bytes, ...]]] = {
    "text": _text,
    "whsec": _whsec,
    "whsec or text": _whsec_or_text,
    "hex": _hex,
    "whpk": _whpk,
    "jwks": _jwks,
    "spki": _spki,
}

SAID: Mapping[str, str] = {
    "text": "the sender's secret as it is shown, not empty",
    "whsec": "whsec_ and base64, as the sender shows it",
    "whsec or text": "whsec_ and base64, as the sender shows it",
    "hex": "the sender's public key, 64 hexadecimal digits",
    "whpk": "whpk_ and the base64 of a 32-byte Ed25519 public key",
    "jwks": "the sender's JSON Web Key Set, with at least one Ed25519 key",
    "spki": "the sender's verification key, base64 of a P-256 public key",
}
"""What a secret must hold, for the message to who made it."""
