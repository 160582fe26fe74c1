"""The tokens that a function environment has met, so that repeated deliveries to a token cost little.

A conditional write that fails is billed by the whole item: an ended token's has up to 100 KiB of output, a waiting one's up to
100 waiters. Anybody who has its URL can send such deliveries.
"""

from typing import Any, assert_never

from waitpoints.token import Completed, CompletedBy, Failed, Outcome, Output, TimedOut, Token, TokenError

KNOWN_FOR = 300_000  # milliseconds. An end is for ever, but an operator may restore a table to before it
MOST = 4_096  # tokens


class KnownTokens:
    """Keeps of a token what no completion changes any more: its end, its rules and its tags.

    The clock is the wall clock, since environments freeze.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, dict[str, Any]]] = {}

    def note(self, token: Token, now: int) -> None:
        """Keep a token as it was just read, or written. An early completion may still become a token with other tags."""
        if token.early_until is not None or (token.outcome is None and token.rules is None):
            return
        self._known.pop(token.id, None)
        outcome = token.outcome and _without_result(token.outcome)
        kept = {"id": token.id, "created_at": token.created_at, "tags": token.tags, "rules": token.rules, "outcome": outcome}
        self._known[token.id] = now, kept
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def find(self, token_id: str, now: int) -> Token | None:
        """Return what is known of a token: its outcome without its result, and its rules and tags."""
        noted_at, kept = self._known.get(token_id, (now - KNOWN_FOR, {}))
        return Token(**kept) if 0 <= now - noted_at < KNOWN_FOR else None


def _without_result(outcome: Outcome) -> Outcome:
    match outcome:
        case Completed(at, _, by):
            return Completed(at, Output(), _with_record(by))
        case Failed(at):
            return Failed(at, TokenError(""))
        case TimedOut():
            return outcome
    assert_never(outcome)


def _with_record(by: CompletedBy | None) -> CompletedBy | None:
    """Keep only what tells a recorded delivery that it settled the token itself."""
    return None if by is None or by.record is None else CompletedBy(source=by.source, record=by.record)
