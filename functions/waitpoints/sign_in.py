"""Who has signed in with the stack's OpenID Connect issuer."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from waitpoints.json_text import SHOWN, Stored

LEEWAY = 60  # seconds by which the issuer's clock may differ


def mailbox(address: str) -> str:
    """Return the spelling by which addresses compare."""
    return address.lower().removesuffix(".")


@dataclass(frozen=True, slots=True)
class SignedIn(Stored):
    """A person, as evidence. `at` is when the issuer's word was checked (epoch milliseconds).

    `email` is None unless the address counts as theirs (`identity`).
    """

    issuer: Annotated[str, SHOWN]
    subject: Annotated[str, "Names the person at the issuer for ever."]
    email: Annotated[str | None, "Their address, if the issuer says that it is theirs."]
    at: int

    def is_same_person(self, other: "SignedIn") -> bool:
        """Whether another account is this person's: one mailbox may be that of several subjects."""
        is_one_mailbox = self.email is not None and other.email is not None and mailbox(self.email) == mailbox(other.email)
        return self.subject == other.subject or is_one_mailbox


@dataclass(frozen=True, slots=True)
class SignInRule:
    """Where the people of a page must sign in: the issuer and the client of the stack that created it.

    Without approvers, who may answer is anyone of its `domains`. Nobody's sign-in may be older than `max_age` milliseconds.
    """

    issuer: str
    client_id: str
    domains: tuple[str, ...] = ()
    max_age: int | None = None

    @property
    def client(self) -> tuple[str, str]:
        return self.issuer, self.client_id


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser's cookie says. `id` is random.

    `domain` is the organization's whose account it is, in lower case: what follows the @ in `email`, or Google's `hd`.
    `auth_time` is when the person last proved to the issuer who they are, if the issuer says it. `claims` has what the ID
    token said of those that give rights in the console (`operators.read_claims`).
    """

    id: str
    signed_in: SignedIn
    domain: str | None
    auth_time: int | None
    ends_at: int
    claims: tuple[str, ...] = ()

    def is_in(self, domains: Collection[str]) -> bool:
        """Whether the account is of one of these domains, which match whole."""
        return self.domain is not None and self.domain in {one.lower() for one in domains}

    def is_recent(self, max_age: int, now: int) -> bool:
        """Whether the person has proved who they are within so many milliseconds. False if the issuer does not say when."""
        return self.auth_time is not None and -LEEWAY * 1000 <= now - self.auth_time <= max_age + LEEWAY * 1000
