"""Which address of an ID token counts, and of which organization the account is."""

from typing import Any

import pytest

from waitpoints.oidc.discovery import GOOGLE
from waitpoints.oidc.identity import read_domain, read_email

ANN = "ann@example.com"
OTHER = "https://issuer.example.com"


@pytest.mark.parametrize(
    ("claims", "claim", "email"),
    [
        ({"email": ANN, "email_verified": True}, "email", ANN),
        ({"email": ANN, "email_verified": False}, "email", None),
        ({"email": ANN}, "email", None),
        ({"email": ANN, "email_verified": "true"}, "email", None),
        ({"email": ANN, "email_verified": 1}, "email", None),
        ({"email": ANN, "email_verified": None}, "email", None),
        ({"email_verified": True}, "email", None),
        ({"email": "ann", "email_verified": True}, "email", None),
        ({"email": [ANN], "email_verified": True}, "email", None),
        ({"email": f"{ANN},bob@example.com", "email_verified": True}, "email", None),
        ({"email": "ann@boo\N{KELVIN SIGN}ing.com", "email_verified": True}, "email", None),  # the Kelvin sign: k in lower case
        ({"email": "änn@example.com", "email_verified": True}, "email", None),
        ({"preferred_username": ANN}, "preferred_username", ANN),
        ({"preferred_username": ANN, "email": "bob@example.com", "email_verified": True}, "preferred_username", ANN),
        ({"email": ANN, "email_verified": True}, "preferred_username", None),
        ({"preferred_username": "ann"}, "preferred_username", None),
    ],
)  # fmt: skip
def test_an_address_counts_if_it_is_verified_or_the_owner_trusts_its_claim(
    claims: dict[str, Any], claim: str, email: str | None
) -> None:
    assert read_email(claims, claim, OTHER) == email


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": ANN, "hd": "example.com"}, ANN),
        ({"email": "Ann@GMail.com"}, "Ann@GMail.com"),
        ({"email": ANN}, None),
        ({"email": ANN, "hd": None}, None),
        ({"email": "ann@gmail.com.example.org"}, None),
        ({"email": "ann@notgmail.com"}, None),
    ],
)
def test_an_address_that_google_once_verified_but_does_not_run_is_nobodys(claims: dict[str, Any], email: str | None) -> None:
    assert read_email({**claims, "email_verified": True}, "email", GOOGLE) == email


@pytest.mark.parametrize(
    ("issuer", "claims", "email", "domain"),
    [
        (OTHER, {}, ANN, "example.com"),
        (OTHER, {}, "Ann@Example.COM", "example.com"),
        (OTHER, {"hd": "evil.example.org"}, ANN, "example.com"),
        (OTHER, {"hd": "example.com"}, None, None),
        (GOOGLE, {"hd": "example.com"}, ANN, "example.com"),
        (GOOGLE, {"hd": "Example.COM"}, "ann@alias.example", "example.com"),
        (GOOGLE, {}, ANN, None),  # anyone's account, which has only an address of the domain
        (GOOGLE, {"hd": ["example.com"]}, ANN, None),
        (GOOGLE, {"hd": "boo\N{KELVIN SIGN}ing.com"}, ANN, None),
    ],
)
def test_an_account_is_of_the_domain_that_runs_it(
    issuer: str, claims: dict[str, Any], email: str | None, domain: str | None
) -> None:
    assert read_domain(claims, issuer, email) == domain
