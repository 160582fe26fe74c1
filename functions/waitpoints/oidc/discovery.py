"""What an issuer says of itself: OpenID Connect Discovery 1.0, sections 3 and 4.3, and RFC 9207."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from waitpoints.errors import IssuerFails

GOOGLE = "https://accounts.google.com"  # where `prompt=login` is an error, and which has no `prompt_values_supported`
ALGORITHMS = ("RS256", "ES256")
OF_A_SIGN_IN = {
    *("response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "max_age", "prompt"),
    *("code_challenge", "code_challenge_method", "request", "request_uri"),
}
"""Parameters that only the stack writes. An issuer's own, such as `tenant`, may be in its authorization endpoint."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Metadata:
    """`secret_in_header`: the client's secret goes by `client_secret_basic`, else by `client_secret_post`.

    `names_itself`: each response to a sign-in says `iss`. `account_prompt` has the issuer ask for the account.
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    secret_in_header: bool
    names_itself: bool
    account_prompt: str


def url_of(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def read(issuer: str, members: Mapping[str, Any]) -> Metadata:
    """Raises IssuerFails if the document is of another issuer, or of one with which this stack cannot sign people in.

    One document for many directories, as Entra's `common`, is of no issuer.
    """
    if members.get("issuer") != issuer or "{" in issuer:
        raise IssuerFails("other_issuer")
    _check_lists("id_token_signing_alg_values_supported", members, ALGORITHMS)
    _check_lists("response_types_supported", members, ("code",))
    _check_lists("code_challenge_methods_supported", members, ("S256",))
    methods = _list(members, "token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    prompts = _list(members, "prompt_values_supported")
    authorization = _endpoint(issuer, members, "authorization_endpoint")
    if OF_A_SIGN_IN & dict(parse_qsl(urlsplit(authorization).query, keep_blank_values=True)).keys():
        raise IssuerFails("authorization_endpoint")
    return Metadata(
        authorization_endpoint=authorization,
        token_endpoint=_endpoint(issuer, members, "token_endpoint"),
        jwks_uri=_endpoint(issuer, members, "jwks_uri"),
        secret_in_header="client_secret_basic" in methods or "client_secret_post" not in methods,
        names_itself=members.get("authorization_response_iss_parameter_supported") is True,
        account_prompt="select_account" if issuer == GOOGLE or "select_account" in prompts else "login",
    )


def may_call(issuer: str, url: str) -> bool:
    """Whether a URL may be called for this issuer: https, or what a stand-in for an issuer on this machine serves."""
    try:
        parts, own = urlsplit(url), urlsplit(issuer)
        is_stand_ins = own.scheme == "http" and own.hostname in _LOOPBACK and (parts.scheme, parts.netloc) == own[:2]
        return bool(parts.hostname) and "#" not in url and (parts.scheme == "https" or is_stand_ins)
    except ValueError:
        return False


def _endpoint(issuer: str, members: Mapping[str, Any], name: str) -> str:
    url = members.get(name)
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or not may_call(issuer, url):
        raise IssuerFails(name)
    return url


def _check_lists(name: str, members: Mapping[str, Any], needed: tuple[str, ...]) -> None:
    """Raises IssuerFails if the document lists what the issuer accepts, and none of it is what this stack needs."""
    listed = _list(members, name)
    if listed and not set(needed) & set(listed):
        raise IssuerFails(name)


def _list(members: Mapping[str, Any], name: str) -> list[str]:
    value = members.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
