"""Check an ID token as OpenID Connect Core 1.0, section 3.1.3.7, says. Loads `cryptography`, which is slow to import."""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

import jwt

from waitpoints.errors import SignInRefused
from waitpoints.oidc.discovery import ALGORITHMS
from waitpoints.oidc.issuer import Issuer
from waitpoints.sign_in import LEEWAY

MAX_SUBJECT = 255  # characters: OpenID Connect Core, section 2
_FORMS = {"RS256": {"kty": "RSA"}, "ES256": {"kty": "EC", "crv": "P-256"}}
"""What the key of an algorithm says of itself."""


def check(token: str, issuer: Issuer, nonce: str) -> Mapping[str, Any]:
    """Return the claims of an ID token. Raises SignInRefused if it is not this issuer's, for this client and sign-in."""
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise SignInRefused("token_algorithm")
        claims: dict[str, Any] = jwt.decode(
            token,
            _find_key(issuer, algorithm, header.get("kid")),
            algorithms=[algorithm],
            audience=issuer.client_id,
            issuer=issuer.url,
            leeway=LEEWAY,
            options={"enforce_minimum_key_length": True, "require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, ArithmeticError, ValueError, RecursionError) as error:  # numbers and depths that JSON may have
        raise SignInRefused(f"token_{type(error).__name__}") from None
    _check_party(claims, issuer.client_id)
    if not _is(claims.get("nonce"), nonce):
        raise SignInRefused("token_nonce")
    if not 0 < len(claims["sub"]) <= MAX_SUBJECT or not claims["sub"].isascii() or not claims["sub"].isprintable():
        raise SignInRefused("token_subject")
    return claims


def _find_key(issuer: Issuer, algorithm: str, kid: object) -> jwt.PyJWK:
    """Return the key that an ID token names. Without a name there must be only one. Raises SignInRefused."""
    for again in (False, True):
        keys = [key for key in issuer.find_keys(again=again) if _fits(key, algorithm) and kid in (None, key.get("kid"))]
        if len(keys) == 1:
            return jwt.PyJWK(keys[0], algorithm)
    raise SignInRefused("token_key")


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    form = {**_FORMS[algorithm], "use": key.get("use") and "sig", "alg": key.get("alg") and algorithm}
    return "d" not in key and all(key.get(name) == value for name, value in form.items())  # with `d` it is a private key


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Raises SignInRefused if the token was issued to another client, or to several and does not say to which of them."""
    is_for_several = not isinstance(claims["aud"], str) and len(claims["aud"]) > 1
    if claims.get("azp", None if is_for_several else client_id) != client_id:
        raise SignInRefused("token_party")


def _is(presented: object, expected: str) -> bool:
    return isinstance(presented, str) and compare_digest(presented.encode("utf-8", "surrogatepass"), expected.encode())
