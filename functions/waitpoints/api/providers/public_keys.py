"""Verify signatures with public keys.

Only `signatures` imports this module, and only for schemes that need it: `cryptography` is slow to import.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verify_ed25519(key: bytes, signature: bytes, content: bytes) -> bool:
    """Whether `signature` (64 bytes) is a valid signature of `content` under `key` (32 bytes)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def verify_ecdsa_p256(key: bytes, signature: bytes, content: bytes) -> bool:
    """Whether `signature` (DER) is a valid signature of `content`, with SHA-256, under `key` (DER SubjectPublicKeyInfo).

    Raises ValueError if the key is not a point on the curve.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = serialization.load_der_public_key(key)
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise ValueError("Not an elliptic curve key")
    try:
        public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
