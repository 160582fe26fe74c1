"""Check public access tokens, which only the complete route accepts: HS256 JWTs that are signed with the API key."""

import jwt

from waitpoints.caller import Caller
from waitpoints.credentials import AUDIENCE, ISSUER, Credentials, bearer
from waitpoints.errors import Forbidden, Unauthenticated
from waitpoints.ids import PREFIX


def check_may_complete(credentials: Credentials, authorization: str | None, token_id: str) -> Caller | None:
    """Return whose API key the header carries. None: it is a public access token whose scope covers this token.

    Raises Unauthenticated or Forbidden if it carries neither.
    """
    credential = bearer(authorization)
    if not _is_public_access_token(credential):
        return credentials.caller(authorization)
    if not any(_allows(scope, token_id) for scope in _verify(credential, credentials)):
        raise Forbidden("Unauthorized")
    return None


def _verify(token: str, credentials: Credentials) -> list[str]:
    for key in credentials.api_key.read_accepted():
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
        if claims["sub"] != credentials.environment:
            raise Unauthenticated("Invalid Public Access Token")
        scopes = claims.get("scopes")
        return [scope for scope in scopes if isinstance(scope, str)] if isinstance(scopes, list) else []
    raise Unauthenticated("Public Access Token is invalid")


def _is_public_access_token(credential: str) -> bool:
    try:
        claims = jwt.decode(credential, options={"verify_signature": False})
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
