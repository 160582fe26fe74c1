"""Who may use the console after a sign-in, and as what: the parameters ConsoleReaders and ConsoleOperators.

The console trades a session for a bearer, which the API takes as it takes a named key. It is signed with the root key and not
stored, so it is valid until it expires.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from waitpoints.access import signed_text
from waitpoints.access.caller import SESSION, Action, Caller
from waitpoints.sign_in import Session, mailbox

LIFETIME = 900_000  # milliseconds of a bearer: how long somebody who was removed still gets in
READ: tuple[Action, ...] = ("read",)
OPERATE: tuple[Action, ...] = ("read", "create", "complete")
_PURPOSE = "console"


@dataclass(frozen=True, slots=True)
class Role:
    """`who` has addresses, domains, and claims as `name=value`. A tag limits all that they may do."""

    who: tuple[str, ...]
    actions: tuple[Action, ...]
    tag: str | None = None

    @classmethod
    def of(cls, who: str, actions: tuple[Action, ...], tag: str) -> Self:
        return cls(tuple(filter(None, map(str.strip, who.split(",")))), actions, tag or None)

    def includes(self, session: Session) -> bool:
        return any(self._is(one, session) for one in self.who)

    def _is(self, one: str, session: Session) -> bool:
        if "=" in one:
            return _mark(one) in session.claims
        if "@" in one:
            return session.signed_in.email is not None and mailbox(session.signed_in.email) == mailbox(one)
        return session.is_in([one])


def read_claims(roles: Iterable[Role], claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a session keeps of an ID token: a digest of each claim that a role names and the token has.

    So a role ends for everybody who has it by a claim when the parameter no longer names it.
    """
    return tuple(_mark(one) for role in roles for one in role.who if "=" in one and _has(claims, *one.split("=", 1)))


def caller_of(session: Session, roles: Iterable[Role]) -> Caller | None:
    """Return a person as a caller of the API, as the first role that includes them allows. None: no role does."""
    role = next((role for role in roles if role.includes(session)), None)
    if role is None:
        return None
    person = session.signed_in
    digits = sha256(f"{person.issuer}\n{person.subject}".encode()).hexdigest()[:16]
    name = person.email or f"subject:{person.subject}"  # no named key has a name with @ or a colon
    return Caller(name, digits, dict.fromkeys(role.actions, role.tag), is_person=True)


def bearer(key: str, caller: Caller, expires_at: int) -> str:
    """Return what the API takes as this caller until then (epoch milliseconds)."""
    value = {"name": caller.name, "digits": caller.digits, "scopes": caller.scopes, "expiresAt": expires_at}
    return SESSION + signed_text.sign(key, _PURPOSE, value)


def read_bearer(keys: Iterable[str], text: str, now: int) -> Caller | None:
    """Return whose bearer it is. None: this stack has not signed it, or it has expired."""
    value = signed_text.read(keys, _PURPOSE, text.removeprefix(SESSION))
    if value is None or value["expiresAt"] <= now:
        return None
    return Caller(value["name"], value["digits"], value["scopes"], is_person=True)


def _has(claims: Mapping[str, Any], name: str, value: str) -> bool:
    """Whether a claim is this text, or a list with it."""
    found = claims.get(name)
    return value in found if isinstance(found, list) else found == value


def _mark(claim: str) -> str:
    return sha256(claim.encode()).hexdigest()[:16]
