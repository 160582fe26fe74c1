"""Callback URLs. A caller with the URL can complete that one token; the hash in it can't be guessed.

The hash is the HMAC-SHA256 of the token's bare id, in lower-case hex (contract K2). It has its own signing key, so
rotating the API key invalidates no URL. It is derived, never stored: rejecting a forged URL needs no database call.
"""

import hashlib
import hmac

from waitpoints.errors import WrongCallbackHash
from waitpoints.ids import PREFIX
from waitpoints.ports import Secret


class CallbackUrls:
    def __init__(self, public_base_url: str, signing_key: Secret) -> None:
        self._public_base_url = public_base_url
        self._signing_key = signing_key

    def url(self, token_id: str, api_url: str) -> str:
        """Return the token's URL, under the public base URL if one is configured, else under `api_url`."""
        base_url = (self._public_base_url or api_url).rstrip("/")
        return f"{base_url}/api/v1/waitpoints/tokens/{token_id}/callback/{_hash(self._signing_key.current(), token_id)}"

    def check(self, token_id: str, hash_in_url: str) -> None:
        """Raises WrongCallbackHash unless the current or the previous signing key gives this hash for the token."""
        presented = hash_in_url.lower().encode("utf-8", "surrogatepass")
        if not any(hmac.compare_digest(_hash(key, token_id).encode(), presented) for key in self._signing_key.accepted()):
            raise WrongCallbackHash


def _hash(key: str, token_id: str) -> str:
    return hmac.new(key.encode(), token_id.removeprefix(PREFIX).encode(), hashlib.sha256).hexdigest()
