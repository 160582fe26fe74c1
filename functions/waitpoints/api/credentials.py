"""Authorization: the API key, and public access tokens signed with it (contract A1 to A3).

A public access token is an HS256 JWT. The stack or Trigger.dev's SDK signs it; the SDK fixes the issuer and audience.
It is accepted by the complete route only.
"""

import hmac
import re
import time
from typing import TYPE_CHECKING, Any

import jwt

from waitpoints.errors import Forbidden, Unauthenticated
from waitpoints.ids import PREFIX

if TYPE_CHECKING:
    from waitpoints.ports import Secret

ISSUER = "https://id.trigger.dev"
AUDIENCE = "https://api.trigger.dev"
TOKEN_LIFETIME = 24 * 3600  # seconds for which the token that create returns is valid


class Credentials:
    def __init__(self, api_key: "Secret", environment: str) -> None:
        self._api_key = api_key
        self.environment = environment

    @property
    def claims(self) -> dict[str, Any]:
        """The claims that the SDK signs into public access tokens for this stack."""
        return {"sub": self.environment, "pub": True}

    def check_api_key(self, authorization: str | None) -> None:
        """Raises Unauthenticated unless the Authorization header carries the current or the previous API key."""
        presented = _bearer(authorization).encode("utf-8", "surrogatepass")
        if not any(hmac.compare_digest(key.encode(), presented) for key in self._api_key.accepted()):
            raise Unauthenticated("Invalid API key")

    def check_may_complete(self, authorization: str | None, token_id: str) -> None:
        """Raises Unauthenticated or Forbidden unless the header carries an API key, or a public access token whose scope
        covers this token.
        """
        bearer = _bearer(authorization)
        if not _is_public_access_token(bearer):
            self.check_api_key(authorization)
        elif not any(_allows(scope, token_id) for scope in self._scopes(bearer)):
            raise Forbidden("Unauthorized")

    def public_access_token(self, scopes: list[str], lifetime: int = TOKEN_LIFETIME) -> str:
        """Return a JWT with these scopes that is valid for `lifetime` seconds."""
        now = int(time.time())
        claims = {**self.claims, "scopes": scopes, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + lifetime}
        return jwt.encode(claims, self._api_key.current(), algorithm="HS256")

    def _scopes(self, token: str) -> list[str]:
        for key in self._api_key.accepted():
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=["HS256"],
                    audience=AUDIENCE,
                    issuer=ISSUER,
                    options={"require": ["exp", "iss", "aud", "sub"]},
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidTokenError:
                break
            if claims["sub"] != self.environment:
                raise Unauthenticated("Invalid Public Access Token")
            scopes = claims.get("scopes")
            return [scope for scope in scopes if isinstance(scope, str)] if isinstance(scopes, list) else []
        raise Unauthenticated("Public Access Token is invalid")


def write_scope(token_id: str) -> str:
    """The scope that allows completing one token."""
    return f"write:waitpoints:{token_id}"


def _bearer(authorization: str | None) -> str:
    bearer = re.sub(r"^bearer ", "", authorization or "", flags=re.IGNORECASE).strip()
    if not bearer:
        raise Unauthenticated("Invalid or missing API key: send `Authorization: Bearer <key>`")
    return bearer


def _is_public_access_token(bearer: str) -> bool:
    try:
        claims = jwt.decode(bearer, options={"verify_signature": False})
    except (jwt.InvalidTokenError, UnicodeEncodeError):
        return False
    return claims.get("pub") is True


def _allows(scope: str, token_id: str) -> bool:
    """Whether the scope `action:type[:id]` allows completing this token. `*` is any action, `all` any type (contract P2)."""
    if scope == "admin":
        return True
    action, _, rest = scope.partition(":")
    kind, of_one, scoped_id = rest.partition(":")
    same_token = scoped_id.removeprefix(PREFIX) == token_id.removeprefix(PREFIX)
    return action in ("write", "*") and kind in ("waitpoints", "all") and (not of_one or same_token)
