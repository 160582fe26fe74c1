"""Callback URLs and the URLs of endpoints. The hash in each can't be guessed.

A caller with a callback URL can complete that one token, unless its page names who may answer. A caller with an endpoint's URL
can complete every token whose key begins with the endpoint's name and a colon. The hash is the HMAC-SHA256, in lower-case
hex, of

    the token's bare id                     for a callback URL (contract K2)
    approver/<bare id>/<approver>           for the link of one approver of a page, which names them: ?approver=<approver>
    endpoint/<name>/<secret id>             for an endpoint; the last part of its URL is the secret id and this hash

so none can be used as another. It has its own signing key, so rotating the API key invalidates no URL. It is derived,
never stored: rejecting a forged URL needs no database call.
"""

import hmac
import re
from urllib.parse import parse_qs, quote

from waitpoints import ids
from waitpoints.errors import TokenNotFound, WrongCallbackHash
from waitpoints.ids import PREFIX
from waitpoints.ports import Secret

_ENDPOINT_PART = re.compile(r"(?P<secret_id>[0-9a-f]{24})(?P<hash>[0-9a-f]{64})", re.ASCII)


class Urls:
    def __init__(self, public_base_url: str, signing_key: Secret) -> None:
        self._public_base_url = public_base_url
        self._signing_key = signing_key

    def url(self, token_id: str, api_url: str, approver: str | None = None) -> str:
        """Return the token's URL, or the link of one approver of its page.

        It is under the public base URL if one is configured, else under `api_url`.
        """
        signed, query = _token(token_id), ""
        if approver is not None:
            signed, query = _approver(token_id, approver), f"?approver={quote(approver, safe='')}"
        return f"{self._base(api_url)}/api/v1/waitpoints/tokens/{token_id}/callback/{self._current(signed)}{query}"

    def check_token(self, written_id: str, hash_in_url: str, query: str = "") -> tuple[str, str | None]:
        """Return the id of the token that a callback URL names, and the approver if it is the link of one.

        An invalid id also raises WrongCallbackHash, which hides whether the token exists.
        """
        try:
            token_id = ids.parse(written_id)
        except TokenNotFound:
            raise WrongCallbackHash from None
        presented = hash_in_url.lower()
        values = parse_qs(query, keep_blank_values=True, errors="surrogateescape") if "approver=" in query else {}
        named = values.get("approver", [])
        if len(named) == 1 and self._is_hash(presented, _approver(token_id, named[0])):
            return token_id, named[0]
        if self._is_hash(presented, _token(token_id)):
            return token_id, None
        raise WrongCallbackHash

    def endpoint_url(self, name: str, secret_id: str, api_url: str) -> str:
        """Return the endpoint's URL, under the same base as `url`."""
        return f"{self._base(api_url)}/api/v1/endpoints/{name}/{secret_id}{self._current(_endpoint(name, secret_id))}"

    def check_endpoint(self, name: str, last_part: str) -> str:
        """Return the secret id in the last part of an endpoint's URL.

        Raises WrongCallbackHash unless the current or the previous signing key gives its hash for this name. The endpoint
        may have been deleted since, or have another secret id.
        """
        part = _ENDPOINT_PART.fullmatch(last_part.lower())
        if part is None or not self._is_hash(part["hash"], _endpoint(name, part["secret_id"])):
            raise WrongCallbackHash
        return part["secret_id"]

    def _base(self, api_url: str) -> str:
        return (self._public_base_url or api_url).rstrip("/")

    def _current(self, signed: str) -> str:
        return _hash(self._signing_key.read_current(), signed)

    def _is_hash(self, presented: str, signed: str) -> bool:
        """Whether the current or the previous signing key gives this hash."""
        sent = presented.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(_hash(key, signed).encode(), sent) for key in self._signing_key.read_accepted())


def _token(token_id: str) -> str:
    return token_id.removeprefix(PREFIX)


def _approver(token_id: str, approver: str) -> str:
    return f"approver/{_token(token_id)}/{approver}"


def _endpoint(name: str, secret_id: str) -> str:
    return f"endpoint/{name}/{secret_id}"


def _hash(key: str, signed: str) -> str:
    # not hmac.digest, which takes twice as long between other work, and as long in a loop
    return hmac.new(key.encode(), signed.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
