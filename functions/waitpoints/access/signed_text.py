"""Texts that a browser keeps for the stack: JSON with an HMAC-SHA256. Who holds one can read it, unless it is sealed."""

import base64
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Iterable
from typing import Any

from waitpoints import json_text

_NONCE = 16  # bytes


def sign(key: str, purpose: str, value: Any) -> str:
    """Return a value as a text of letters, digits, `-`, `_` and one dot. With another `purpose` it is not valid."""
    content = _base64url(json_text.dumps(value).encode())
    return f"{content}.{digest(key, purpose, content)}"


def read(keys: Iterable[str], purpose: str, text: str) -> Any:
    """Return what was signed with one of the keys for this purpose. None: nothing was."""
    content, _, signature = text.partition(".")
    if not any(is_digest(signature, key, purpose, content) for key in keys):
        return None
    return json_text.parse(_bytes(content).decode())


def seal(key: str, purpose: str, value: Any) -> str:
    """Return a value as a text that only the stack can read: compressed, encrypted, and then signed."""
    nonce, written = secrets.token_bytes(_NONCE), zlib.compress(json_text.dumps(value).encode(), 9)
    content = _base64url(nonce + _encrypted(key, purpose, nonce, written))
    return f"{content}.{digest(key, purpose, content)}"


def unseal(keys: Iterable[str], purpose: str, text: str) -> Any:
    """Return what was sealed with one of the keys for this purpose. None: nothing was."""
    content, _, signature = text.partition(".")
    key = next((key for key in keys if is_digest(signature, key, purpose, content)), None)
    if key is None:
        return None
    nonce, written = (both := _bytes(content))[:_NONCE], both[_NONCE:]
    return json_text.parse(zlib.decompress(_encrypted(key, purpose, nonce, written)).decode())


def _encrypted(key: str, purpose: str, nonce: bytes, text: bytes) -> bytes:
    """Encrypt, or decrypt: a stream of SHAKE-256, whose key no other nonce has. The functions do not have `cryptography`."""
    stream = hashlib.shake_256(hmac.digest(key.encode(), b"seal\n" + purpose.encode() + nonce, "sha256")).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, stream, strict=True))


def digest(key: str, purpose: str, content: str) -> str:
    return _base64url(hmac.digest(key.encode(), f"{purpose}\n{content}".encode("utf-8", "surrogatepass"), "sha256"))


def is_digest(presented: str, key: str, purpose: str, content: str) -> bool:
    sent = presented.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(digest(key, purpose, content).encode(), sent)


def _base64url(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _bytes(content: str) -> bytes:
    return base64.urlsafe_b64decode(content + "=" * (-len(content) % 4))
