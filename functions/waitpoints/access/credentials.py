"""Authorization: the root key and named keys, and how public access tokens are signed (contract A1 to A3).

A public access token is an HS256 JWT. The stack or Trigger.dev's SDK signs it; the SDK fixes the issuer and audience.
It is accepted by the complete route only (`public_access_token`).
"""

import base64
import hmac
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from waitpoints import json_text, telemetry
from waitpoints.access.caller import NAMED_KEY, ROOT, SESSION, Caller
from waitpoints.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from waitpoints.access.api_key_cache import ApiKeyCache
    from waitpoints.ports import Secret

ISSUER = "https://id.trigger.dev"
AUDIENCE = "https://api.trigger.dev"
TOKEN_LIFETIME = 24 * 3600  # seconds for which the token that create returns is valid

OWN = "own"  # claim of a public access token: its named key has created the token in its scope, and needs no `complete` for it


class Credentials:
    def __init__(self, api_key: "Secret", environment: str, api_key_cache: "Callable[[], ApiKeyCache]") -> None:
        self.api_key = api_key
        self.environment = environment
        self._api_key_cache = api_key_cache

    def claims(self, caller: Caller = ROOT) -> dict[str, Any]:
        """Return what the public access tokens of a caller have in common. With the root key the SDK signs this itself.

        A named key is part of `sub`, not a claim of its own, so that versions without named keys refuse the token.
        """
        return {"sub": self.environment if caller.digits is None else f"{self.environment}/{caller.digits}", "pub": True}

    def caller(self, authorization: str | None) -> Caller:
        """Return who holds the key in the Authorization header: the current or the previous root key, or a named key.

        Raises Unauthenticated, and what reading the named keys raises if they cannot be read for a minute. A team may have
        chosen a root key that begins as named keys do.
        """
        credential = bearer(authorization)
        if credential.startswith(NAMED_KEY):
            from waitpoints.access import api_keys

            if api_keys.has_form(credential) and (named := self._find(api_keys.digest(credential))):
                return named
        if credential.startswith(SESSION) and (person := self._find_person(credential)):
            return person
        self._check_is_root(credential)
        return ROOT

    def check_root(self, authorization: str | None) -> None:
        """Raises Unauthenticated, or Forbidden for a named key, without looking it up: no named key may do what this guards."""
        credential = bearer(authorization)
        try:
            self._check_is_root(credential)
        except Unauthenticated:
            if credential.startswith(NAMED_KEY):
                from waitpoints.access import api_keys

                if api_keys.has_form(credential):
                    raise Forbidden("Only the root key may do this, and this is a named key") from None
            if credential.startswith(SESSION) and self._find_person(credential):
                raise Forbidden("Only the root key may do this, and this is a session of the console") from None
            raise

    def _check_is_root(self, credential: str) -> None:
        presented = credential.encode("utf-8", "surrogatepass")
        if not any(hmac.compare_digest(key.encode(), presented) for key in self.api_key.read_accepted()):
            raise Unauthenticated("Invalid API key")

    def _find(self, digest: str) -> Caller | None:
        """Return who holds the named key whose digest begins with these digits."""
        key = self._api_key_cache().find(digest)
        if key is None:
            return None
        telemetry.note(apiKey=key.name)
        return key.caller

    def _find_person(self, bearer: str) -> Caller | None:
        from waitpoints.access import operators

        person = operators.read_bearer(self.api_key.read_accepted(), bearer, int(time.time() * 1000))
        if person is not None:
            telemetry.note(person=person.digits)
        return person

    def find_maker(self, subject: str) -> Caller:
        """Return whose key has made a public access token with this `sub`. Raises Unauthenticated unless that key is valid."""
        environment, named, digits = subject.partition("/")
        if environment != self.environment:
            raise Unauthenticated("Invalid Public Access Token")
        if not named:
            return ROOT
        maker = self._find(digits)
        if maker is None:
            raise Unauthenticated("The key that made this Public Access Token has been revoked or has expired")
        return maker

    def sign_public_access_token(
        self, scopes: list[str], lifetime: int = TOKEN_LIFETIME, caller: Caller = ROOT, *, own: bool = False
    ) -> str:
        """Return a JWT with these scopes that is valid for `lifetime` seconds, and no longer than the caller's key.

        `own`: it is for a token that the caller has just created.
        """
        now = int(time.time())
        claims = {**self.claims(caller), "scopes": scopes, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + lifetime}
        if own and caller is not ROOT:
            claims[OWN] = True
        # RFC 7515, section 3.1. PyJWT, which every function would load for it, is for checking them.
        signed = b".".join((_HEADER, _base64url(json_text.dumps(claims).encode())))
        signature = hmac.digest(self.api_key.read_current().encode(), signed, "sha256")
        return b".".join((signed, _base64url(signature))).decode()


def write_scope(token_id: str) -> str:
    """The scope that allows completing one token."""
    return f"write:waitpoints:{token_id}"


def what_it_completes(scope: str) -> tuple[bool, str | None]:
    """Whether a scope `action:type[:id]` allows completing tokens, and the id of the only one, if there is one (contract P2).

    `*` is any action, `all` any type.
    """
    if scope == "admin":
        return True, None
    action, _, rest = scope.partition(":")
    kind, of_one, token_id = rest.partition(":")
    return action in ("write", "*") and kind in ("waitpoints", "all"), token_id if of_one else None


def bearer(authorization: str | None) -> str:
    """Return the credential in an Authorization header. Raises Unauthenticated if there is none."""
    credential = re.sub(r"^bearer ", "", authorization or "", flags=re.IGNORECASE).strip()
    if not credential:
        raise Unauthenticated("Invalid or missing API key: send `Authorization: Bearer <key>`")
    return credential


def _base64url(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


_HEADER = _base64url(b'{"alg":"HS256","typ":"JWT"}')
