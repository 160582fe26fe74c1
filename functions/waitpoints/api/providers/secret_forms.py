"""Decode a secret's text into one or more keys, by the form that its scheme needs.

Each function raises ValueError if the text does not have that form. The error never contains the secret.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

from waitpoints import json_text

P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
"""The first bytes of the DER SubjectPublicKeyInfo of an uncompressed P-256 key; 64 bytes follow (RFC 5480)."""


def keys(form: str, secret: str) -> tuple[bytes, ...]:
    """Return the keys in a secret. Ignores line breaks at its end, which files often have."""
    return _READERS[form](secret.rstrip("\r\n"))


def _text(secret: str) -> tuple[bytes, ...]:
    return _not_empty(secret.encode("utf-8", "surrogatepass"))


def _whsec(secret: str) -> tuple[bytes, ...]:
    return _not_empty(_base64(secret.removeprefix("whsec_")))


def _not_empty(key: bytes) -> tuple[bytes, ...]:
    if not key:
        raise ValueError("empty")
    return (key,)


def _jwks(secret: str) -> tuple[bytes, ...]:
    """Return the Ed25519 keys (RFC 8037) in a JSON Web Key Set (RFC 7517). Skips other keys."""
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
    """Decode base64. Padding is optional, as in the Standard Webhooks libraries."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


_READERS: Mapping[str, Callable[[str], tuple[bytes, ...]]] = {
    "text": _text,
    "whsec": _whsec,
    "whsec or text": lambda secret: _whsec(secret) if secret.startswith("whsec_") else _text(secret),
    "hex": lambda secret: _not_empty(bytes.fromhex(secret)),
    "base64": lambda secret: _not_empty(_base64(secret)),
    "ed25519 hex": lambda secret: (_ed25519(bytes.fromhex(secret)),),
    "whpk": lambda secret: (_ed25519(_base64(secret.removeprefix("whpk_"))),),
    "jwks": _jwks,
    "spki": _spki,
}

SAID: Mapping[str, str] = {
    "text": "the provider's secret exactly as shown, and not empty",
    "whsec": "whsec_ followed by base64, exactly as the provider shows it",
    "whsec or text": "whsec_ followed by base64, exactly as the provider shows it",
    "hex": "hexadecimal, and not empty",
    "base64": "base64, and not empty",
    "ed25519 hex": "the provider's public key: 64 hexadecimal digits",
    "whpk": "whpk_ followed by a 32-byte Ed25519 public key in base64",
    "jwks": "the provider's JSON Web Key Set, with at least one Ed25519 key",
    "spki": "the provider's verification key: a P-256 public key in base64",
}
"""What a secret must be, worded for error messages."""
