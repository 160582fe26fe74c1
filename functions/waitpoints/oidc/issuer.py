"""Call the stack's issuer: short HTTPS calls, whose answers are kept for a while.

Nothing that an issuer writes is passed on or logged, but its standard error codes.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from waitpoints import https
from waitpoints.aws.services.secrets import is_unusable
from waitpoints.errors import IssuerFails, SignInRefused
from waitpoints.https import HttpsAnswer
from waitpoints.oidc import discovery
from waitpoints.oidc.attempts import Attempt
from waitpoints.ports import Clock, Secret

PATIENCE = 3  # seconds for each call
KEPT_FOR = 600_000  # milliseconds
REFETCH_AFTER = 60_000  # milliseconds, if a key is missing
FAILED_FOR = 5_000  # milliseconds without another try
ERROR_CODES = {  # RFC 6749, sections 4.1.2.1 and 5.2; OpenID Connect Core, section 3.1.2.6
    *("invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope"),
    *("server_error", "temporarily_unavailable", "invalid_client", "invalid_grant", "unsupported_grant_type"),
    *("interaction_required", "login_required", "account_selection_required", "consent_required", "invalid_request_uri"),
    *("invalid_request_object", "request_not_supported", "request_uri_not_supported", "registration_not_supported"),
}


class Fetched[Found]:
    """A document of the issuer. While it cannot be had, it is asked for only every FAILED_FOR."""

    def __init__(self, fetch: Callable[[], Found], now: Clock) -> None:
        self._fetch = fetch
        self._now = now
        self._found: Found | None = None
        self._at = self._failed_until = 0

    def read(self, kept_for: int = KEPT_FOR) -> Found:
        """Return the document as it was at most `kept_for` milliseconds ago. Raises IssuerFails."""
        now = self._now()
        if self._found is not None and now - self._at < kept_for:
            return self._found
        if now < self._failed_until:
            raise IssuerFails("failed_before")
        try:
            self._found, self._at = self._fetch(), now
        except IssuerFails:
            self._failed_until = now + FAILED_FOR
            raise
        return self._found


class Issuer:
    """`url` names the issuer, `client_id` this stack there, to whose `base_url` it returns. Without a secret it is public."""

    def __init__(self, url: str, client_id: str, scopes: str, base_url: str, secret: Secret, now: Clock) -> None:
        self.url = url
        self.client_id = client_id
        self._scopes = scopes
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._metadata = Fetched(lambda: discovery.read(url, self._get(discovery.url_of(url))), now)
        self._keys = Fetched(lambda: _keys(self._get(self._metadata.read().jwks_uri)), now)

    def sign_in_url(self, attempt: Attempt, *, other_account: bool) -> str:
        """Return where the browser is sent: OpenID Connect Core, section 3.1.2.1, with RFC 7636. Raises IssuerFails."""
        metadata = self._metadata.read()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self._redirect_uri(attempt),
            "scope": self._scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        if attempt.max_age is not None:
            query["max_age"] = str(attempt.max_age)
        if other_account:
            query["prompt"] = metadata.account_prompt
        endpoint = metadata.authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def read_code(self, response: Mapping[str, str]) -> str:
        """Return the code in the response to a sign-in. Raises SignInRefused, and IssuerFails.

        An `iss` of another issuer is an attack, by which that issuer would get the code (RFC 9207).
        """
        named = response.get("iss")
        if named != self.url and (named is not None or self._metadata.read().names_itself):
            raise SignInRefused("other_issuer")
        if "error" in response:
            raise _refused("response", response["error"])
        if not response.get("code"):
            raise SignInRefused("no_code")
        return response["code"]

    def redeem(self, code: str, attempt: Attempt) -> str:
        """Return the ID token for a code: OpenID Connect Core, section 3.1.3. Raises SignInRefused, and IssuerFails."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri(attempt),
            "code_verifier": attempt.verifier,
        }
        for secret in self._secrets():
            answer = self._post(form, secret)
            if answer.members.get("error") != "invalid_client":
                break  # else the secret may have been replaced
        if answer.status >= 500 or answer.status == 429:
            raise IssuerFails(f"token_http_{answer.status}")
        if answer.status != 200:
            raise _refused("token", answer.members.get("error"))
        token = answer.members.get("id_token")
        if not isinstance(token, str):
            raise IssuerFails("no_id_token")
        return token

    def find_keys(self, *, again: bool = False) -> list[dict[str, Any]]:
        """Return the JSON Web Keys with which the issuer signs. `again`: a key is missing. Raises IssuerFails."""
        return self._keys.read(REFETCH_AFTER if again else KEPT_FOR)

    def _redirect_uri(self, attempt: Attempt) -> str:
        return f"{self._base_url}{attempt.returns_to}"

    def _secrets(self) -> Iterator[str | None]:
        """Yield the client's secret, and after that its new one. None: it has none."""
        try:
            yield from map(str.strip, self._secret.read_latest())
        except GetParameterError as error:
            if not is_unusable(error):
                raise
            yield None

    def _post(self, form: dict[str, str], secret: str | None) -> HttpsAnswer:
        metadata = self._metadata.read()
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if secret is not None and metadata.secret_in_header:
            both = ":".join(quote(text, safe="") for text in (self.client_id, secret))  # RFC 6749, section 2.3.1
            headers["authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
        else:
            form = {**form, "client_id": self.client_id, **({} if secret is None else {"client_secret": secret})}
        return _call("POST", metadata.token_endpoint, headers, urlencode(form).encode())

    def _get(self, url: str) -> dict[str, Any]:
        if not discovery.may_call(self.url, url):
            raise IssuerFails("not_https")
        answer = _call("GET", url, {"accept": "application/json"})
        if answer.status != 200 or not answer.members:
            raise IssuerFails(f"document_http_{answer.status}")
        return answer.members


def _call(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> HttpsAnswer:
    timeout = urllib3.Timeout(connect=PATIENCE, read=PATIENCE)
    try:
        return https.within(PATIENCE, lambda: https.call(method, url, headers, timeout, body))
    except https.NoAnswer as error:
        raise IssuerFails(str(error)) from None


def _keys(members: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = members.get("keys")
    if not isinstance(keys, list):
        raise IssuerFails("no_keys")
    return [key for key in keys if isinstance(key, dict)]


def _refused(where: str, code: object) -> SignInRefused:
    known = isinstance(code, str) and code in ERROR_CODES
    return SignInRefused(f"{where}_{code if known else 'error'}")
