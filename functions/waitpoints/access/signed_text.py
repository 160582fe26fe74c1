"""Texts that a browser keeps for the stack: JSON with an HMAC-SHA256. Everyone who holds one can read it."""

import base64
import hmac
from collections.abc import Iterable
from typing import Any

from waitpoints import json_text


def sign(key: str, purpose: str, value: Any) -> str:
    """Return a value as a text of letters, digits, `-`, `_` and one dot. With another `purpose` it is not valid."""
    content = _base64url(json_text.dumps(value).encode())
    return f"{content}.{digest(key, purpose, content)}"


def read(keys: Iterable[str], purpose: str, text: str) -> Any:
    """Return what was signed with one of the keys for this purpose. None: nothing was."""
    content, _, signature = text.partition(".")
    if not any(is_digest(signature, key, purpose, content) for key in keys):
        return None
    return json_text.parse(_decoded(content))


def digest(key: str, purpose: str, content: str) -> str:
    return _base64url(hmac.digest(key.encode(), f"{purpose}\n{content}".encode("utf-8", "surrogatepass"), "sha256"))


def is_digest(presented: str, key: str, purpose: str, content: str) -> bool:
    sent = presented.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(digest(key, purpose, content).encode(), sent)


def _base64url(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _decoded(content: str) -> str:
    return base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)).decode()
