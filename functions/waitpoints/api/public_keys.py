"""Signatures that are checked with a public key.

Only `signatures` imports this module, and only for a scheme that needs it, because `cryptography` takes time to import.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def ed25519(key: bytes, signature: bytes, content: bytes) -> bool:
    """Whether the 64 bytes of `signature` sign `content` under the 32 bytes of `key`."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def ecdsa_p256(key: bytes, signature: bytes, content: bytes) -> bool:
    """Whether `signature` (DER) signs the SHA-256 of `content` under `key` (a DER SubjectPublicKeyInfo).

    Raises ValueError if the key is not a point of the curve.
    """
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - twice the time of Ed25519
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    public = serialization.load_der_public_key(key)
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise ValueError("Not a key of an elliptic curve")
    try:
        public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
