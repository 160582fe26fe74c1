"""What issuers say of themselves, and what is read of it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from waitpoints.errors import IssuerFails
from waitpoints.oidc import discovery

# Microsoft's library has copies of documents, with their dates.
COPIES = (
    "AzureAD/azure-activedirectory-identitymodel-extensions-for-dotnet on GitHub, OpenIdConfigData.cs: a copy of 2024-02-02"
)
TENANT = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555"
POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Abc123"
REALM = "https://id.example.com/realms/shop"


@dataclass(frozen=True)
class Known:
    """What an issuer publishes. `source` is where that was read, on 2026-11-30.

    A copy is a document that others have kept. Everything else is the issuer's own page or code.
    `endpoints` are those of the authorization, of tokens and of keys.
    """

    issuer: str
    endpoints: tuple[str, str, str]
    methods: tuple[str, ...]
    algorithms: tuple[str, ...]
    source: str
    more: dict[str, Any] = field(default_factory=dict)

    def members(self) -> dict[str, Any]:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return {
            "issuer": self.issuer,
            **dict(zip(names, self.endpoints, strict=True)),
            "response_types_supported": ["code", "id_token"],
            "id_token_signing_alg_values_supported": [*self.algorithms],
            "token_endpoint_auth_methods_supported": [*self.methods],
            **self.more,
        }


KNOWN = {
    "Google": Known(
        "https://accounts.google.com",
        (
            "https://accounts.google.com/o/oauth2/v2/auth",
            "https://oauth2.googleapis.com/token",
            "https://www.googleapis.com/oauth2/v3/certs",
        ),
        ("client_secret_post", "client_secret_basic"),
        ("RS256",),
        f"{COPIES}. developers.google.com/identity/openid-connect/openid-connect#discovery",
        {"code_challenge_methods_supported": ["plain", "S256"]},
    ),
    "Entra ID": Known(
        f"{TENANT}/v2.0",
        (f"{TENANT}/oauth2/v2.0/authorize", f"{TENANT}/oauth2/v2.0/token", f"{TENANT}/discovery/v2.0/keys"),
        ("client_secret_post", "private_key_jwt", "client_secret_basic"),
        ("RS256",),
        f"{COPIES}, of `common`. learn.microsoft.com/entra/identity-platform/v2-protocols-oidc, of 2026-06-30",
    ),
    "Okta": Known(
        "https://example.okta.com",  # of the organization. Custom ones are below it, such as /oauth2/default
        tuple(f"https://example.okta.com/oauth2/v1/{name}" for name in ("authorize", "token", "keys")),  # type: ignore[arg-type]
        ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"),
        ("RS256",),
        "developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/OrgAS. "
        "github.com/okta/okta-developer-docs, docs/reference/api/oidc/index.md",
        {"code_challenge_methods_supported": ["S256"]},
    ),
    "Auth0": Known(
        "https://example.eu.auth0.com/",  # with the slash at its end
        (
            "https://example.eu.auth0.com/authorize",
            "https://example.eu.auth0.com/oauth/token",
            "https://example.eu.auth0.com/.well-known/jwks.json",
        ),
        ("client_secret_basic", "client_secret_post", "private_key_jwt"),
        ("HS256", "RS256", "PS256"),
        "auth0.com/docs/get-started/applications/configure-applications-with-oidc-discovery, of 2026-08-20",
        {"code_challenge_methods_supported": ["S256", "plain"]},
    ),
    "Keycloak": Known(
        REALM,
        tuple(f"{REALM}/protocol/openid-connect/{name}" for name in ("auth", "token", "certs")),  # type: ignore[arg-type]
        ("private_key_jwt", "client_secret_basic", "client_secret_post", "tls_client_auth", "client_secret_jwt"),
        ("PS384", "RS384", "EdDSA", "ES384", "HS256", "ES256", "RS256"),
        "www.keycloak.org/securing-apps/oidc-layers. keycloak/keycloak on GitHub, OIDCWellKnownProvider.java",
        {
            "authorization_response_iss_parameter_supported": True,
            "code_challenge_methods_supported": ["plain", "S256"],
            "prompt_values_supported": ["none", "login", "consent"],
        },
    ),
    "Cognito": Known(
        POOL,
        (
            "https://example.auth.eu-west-1.amazoncognito.com/oauth2/authorize",
            "https://example.auth.eu-west-1.amazoncognito.com/oauth2/token",
            f"{POOL}/.well-known/jwks.json",
        ),
        ("client_secret_basic", "client_secret_post"),
        ("RS256",),
        "docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html has the endpoints. "
        "api-evangelist/covatic on GitHub, well-known/covatic-openid-configuration.json: a copy of 2026-08-22",
        {"response_types_supported": ["code", "token"]},
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_document_of_a_known_issuer_is_read(name: str) -> None:
    known = KNOWN[name]
    found = discovery.read(known.issuer, known.members())
    assert (found.authorization_endpoint, found.token_endpoint, found.jwks_uri) == known.endpoints
    assert found.secret_in_header
    assert found.account_prompt == ("select_account" if name == "Google" else "login")
    assert found.names_itself is (name == "Keycloak")


def test_the_document_is_below_the_issuer() -> None:
    """OpenID Connect Discovery, section 4: a slash at its end is left out."""
    assert discovery.url_of("https://a.example.com/") == "https://a.example.com/.well-known/openid-configuration"
    assert discovery.url_of(f"{TENANT}/v2.0") == f"{TENANT}/v2.0/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("configured", "published"),
    [
        ("https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/{tenantid}/v2.0"),
        ("https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/{tenantid}/v2.0"),
        ("https://login.microsoftonline.com/example.com/v2.0", f"{TENANT}/v2.0"),
        ("https://example.eu.auth0.com", "https://example.eu.auth0.com/"),
    ],
)
def test_an_issuer_of_many_directories_or_by_another_name_is_refused(configured: str, published: str) -> None:
    with pytest.raises(IssuerFails):
        discovery.read(configured, {**KNOWN["Entra ID"].members(), "issuer": published})


def test_a_secret_goes_in_the_header_unless_only_the_form_is_accepted() -> None:
    """OpenID Connect Discovery, section 3: without a list it is client_secret_basic."""
    known = KNOWN["Google"].members()
    for methods, in_header in ((None, True), (["client_secret_post"], False), (["private_key_jwt"], True), ("x", True)):
        members = {**known, "token_endpoint_auth_methods_supported": methods}
        assert discovery.read("https://accounts.google.com", members).secret_in_header is in_header


@pytest.mark.parametrize(
    ("issuer", "url", "may"),
    [
        ("https://a.example.com", "https://b.example.com/x", True),
        ("https://a.example.com", "http://a.example.com/x", False),
        ("https://a.example.com", "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", False),
        ("https://a.example.com", "https://a.example.com/x#y", False),
        ("https://a.example.com", "https:///x", False),
        ("https://a.example.com", "file:///etc/passwd", False),
        ("https://a.example.com", "https://[::1", False),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/x", True),
        ("http://127.0.0.1:9", "http://127.0.0.1:90/x", False),
        ("http://127.0.0.1:9", "http://localhost:9/x", False),
        ("http://127.0.0.1:9", "http://127.0.0.1:9@evil.example.com/x", False),
        ("http://a.example.com", "http://a.example.com/x", False),
    ],
)
def test_only_https_is_called_or_a_stand_in_on_this_machine(issuer: str, url: str, may: bool) -> None:
    assert discovery.may_call(issuer, url) is may
