"""Whose address an ID token has, and of which organization the account is."""

from collections.abc import Mapping
from typing import Any

from waitpoints.approvers import is_email
from waitpoints.oidc.discovery import GOOGLE


def read_email(claims: Mapping[str, Any], claim: str, issuer: str) -> str | None:
    """Return the person's address. None: the token has none, or it does not count.

    Anyone may write any address into an account, so `email` counts only if the issuer has verified it. Google once verified
    those that it does not run, whose owners may have changed since: it has a Workspace (`hd`) or is at gmail.com. Of another
    `claim` the stack's owner says that only the directory's administrators write it. Outside of ASCII, letters look like
    others, and become others in lower case.
    """
    email = claims.get(claim)
    is_theirs = claim != "email" or (claims.get("email_verified") is True and (issuer != GOOGLE or _is_googles(claims)))
    return email if isinstance(email, str) and is_theirs and is_email(email) and email.isascii() else None


def cause(claims: Mapping[str, Any], claim: str) -> str:
    """Return why a token's address does not count, for the log."""
    email = claims.get(claim)
    is_address = isinstance(email, str) and is_email(email) and email.isascii()
    return "email_unverified" if is_address and claim == "email" else "email_missing"


def read_domain(claims: Mapping[str, Any], issuer: str, email: str | None) -> str | None:
    """Return the account's organization in lower case: the domain of its address, for Google the `hd` of its Workspace.

    At Google anyone may make an account with an address of any domain.
    """
    if issuer == GOOGLE:
        hosted = claims.get("hd")
        return hosted.lower() if isinstance(hosted, str) and hosted.isascii() else None
    return email.rpartition("@")[2].lower() if email else None


def _is_googles(claims: Mapping[str, Any]) -> bool:
    """Whether Google runs the mailbox, or the directory: "Authenticate with a backend server" in its documentation."""
    return isinstance(claims.get("hd"), str) or str(claims.get("email")).lower().endswith("@gmail.com")
