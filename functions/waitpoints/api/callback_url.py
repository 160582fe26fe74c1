"""Callback URLs: whoever holds one may complete its one token, and nobody can guess one.

The hash is HMAC-SHA256 over the token's bare id in lower-case hex (contract K2), under a key of its own, so that
rotating the API key leaves every URL alive. It is derived, never stored: a forged URL costs no database call.
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
        """The token's URL, below the public base URL or, if there is none, below the API's own."""
        base_url = (self._public_base_url or api_url).rstrip("/")
        return f"{base_url}/api/v1/waitpoints/tokens/{token_id}/callback/{_hash(self._signing_key.current(), token_id)}"

    def check(self, token_id: str, written_hash: str) -> None:
        """Raises WrongCallbackHash unless the hash is this token's, under the current or the previous signing key."""
        written = written_hash.lower().encode("utf-8", "surrogatepass")
        if not any(hmac.compare_digest(_hash(key, token_id).encode(), written) for key in self._signing_key.accepted()):
            raise WrongCallbackHash


def _hash(key: str, token_id: str) -> str:
    return hmac.new(key.encode(), token_id.removeprefix(PREFIX).encode(), hashlib.sha256).hexdigest()
