"""What must never be found in the table, and the search for it.

    undelivered    a token settled more than GRACE ago with a waiter for which no answer is recorded
    overdue        a WAITING token whose timeout passed more than GRACE ago

The scan is eventually consistent, so each suspect is read again before it counts.
"""

from dataclasses import dataclass, field

from waitpoints.errors import TokenNotFound
from waitpoints.ports import TokenStore
from waitpoints.token import Token

GRACE = 60_000  # milliseconds: what the stream and the timers are given


@dataclass(slots=True)
class Findings:
    """How many tokens were looked at, and the ids of those with something left undone."""

    tokens: int = 0
    undelivered: list[str] = field(default_factory=list)
    overdue: list[str] = field(default_factory=list)


def examine(store: TokenStore, now: int) -> Findings:
    """Look at every token in the table."""
    findings = Findings()
    for token in store.scan():
        findings.tokens += 1
        if is_undelivered(token, now) and is_undelivered(_again(store, token), now):
            findings.undelivered.append(token.id)
        elif is_overdue(token, now) and is_overdue(_again(store, token), now):
            findings.overdue.append(token.id)
    return findings


def is_undelivered(token: Token, now: int) -> bool:
    return token.outcome is not None and token.outcome.at < now - GRACE and bool(token.undelivered())


def is_overdue(token: Token, now: int) -> bool:
    return token.outcome is None and token.timeout_at is not None and token.timeout_at < now - GRACE


def _again(store: TokenStore, token: Token) -> Token:
    try:
        return store.get(token.id)
    except TokenNotFound:
        return Token(id=token.id, created_at=token.created_at)
