"""Complete the token that holds a key, or keep the completion for a create that comes later.

A key is the name of what is awaited. Whichever comes first, the create or the completion, makes the token, and the other one
finds it (invariant 5). An early completion is in no list and ends with its key, unless a create claims it before.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.errors import TokenNotFound, attempts
from waitpoints.ids import new_id
from waitpoints.ports import Clock
from waitpoints.token import (
    ALL_CHECKED,
    DOCUMENTS,
    CompletedBy,
    IdempotencyKey,
    KeyHolder,
    Outcome,
    Rule,
    TimedOut,
    Token,
    TokenError,
)
from waitpoints.tokens import Completion, Ended, Result, Settled, Tokens

if TYPE_CHECKING:
    from waitpoints.aws.store import Store


@dataclass(frozen=True, slots=True)
class EarlyCompletion:
    """No token held the key: the completion made one, which waits for its create."""


@dataclass(frozen=True, slots=True)
class NotAwaited:
    """No token held the key, and the completion was not to be kept."""


@dataclass(frozen=True, slots=True)
class KeyCompletion:
    """The result of a completion by key, and the token that it found or made."""

    result: Completion | EarlyCompletion | NotAwaited
    token_id: str | None

    @property
    def is_early(self) -> bool:
        """Whether this completion made the token."""
        return isinstance(self.result, EarlyCompletion)

    @property
    def has_settled(self) -> bool:
        """Whether this completion settled a token that waited."""
        return isinstance(self.result, Settled)


def is_own(outcome: Outcome | None, by: CompletedBy) -> bool:
    """Whether an outcome comes from the recorded delivery that is processed again."""
    found = None if outcome is None or isinstance(outcome, TimedOut) else outcome.completed_by
    return by.record is not None and found is not None and found.record == by.record


class CompletionsByKey:
    def __init__(self, store: "Store", tokens: Tokens, clock: Clock) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock

    def find_token(self, key: str) -> Token | None:
        """Return the token that holds a key as of now, without its output, even if the key has expired."""
        holder = self._store.find_key_holder(IdempotencyKey(key))
        return self._tokens.find_or_none(holder.token_id) if holder else None

    def complete(
        self,
        key: IdempotencyKey,
        result: Result,
        by: CompletedBy,
        accepted_by: str | None = None,
        checked: frozenset[Rule] = ALL_CHECKED,
    ) -> KeyCompletion:
        """Settle the newest token of a key with a JSON text or an error, or keep the completion until `key.expires_at`.

        Changes nothing if the token has ended and its key has not expired. Returns RulesApply if the token has other rules than
        those `checked`, or a payloadSchema or a page, unless that is `accepted_by`, the id of a token that accepts the output.
        Raises TryAgain if other requests take the key each time.
        """
        now = self._clock()
        holder = self._store.find_key_holder(key)
        new = new_id(now)
        for _ in attempts("Other requests with this key came at the same moment. Send the same request again"):
            if holder:
                is_accepted = isinstance(result, TokenError) or accepted_by == holder.token_id
                completion = self._complete_holder(holder, result, by, checked if is_accepted else checked - DOCUMENTS, now)
                if completion is not None:
                    return KeyCompletion(completion, holder.token_id)
            if key.expires_at is not None and key.expires_at <= now:
                return KeyCompletion(NotAwaited(), None)
            early = self._make_early(new, key, result, by, now)
            holder = self._store.put_early(early, key, now, replaced=holder)
            if holder is None:
                telemetry.note(tokenId=early.id, early=True)
                telemetry.count("EarlyCompletions")
                return KeyCompletion(EarlyCompletion(), early.id)
        raise AssertionError("the last attempt raises")

    def withdraw(self, token_id: str) -> bool:
        """Delete an early completion with its output, unless a create has claimed it. Returns whether it did."""
        try:
            token = self._store.peek(token_id)
        except TokenNotFound:
            return False
        if token.early_until is None or not self._store.release_early(token):
            return False
        telemetry.note(tokenId=token_id, withdrawn=True)
        self._tokens.delete_output(token)  # before the token, which alone names it, should this fail
        return self._store.delete_early(token_id)

    def _complete_holder(
        self, holder: KeyHolder, result: Result, by: CompletedBy, checked: frozenset[Rule], now: int
    ) -> Completion | None:
        """Complete the holder of a key. Returns None if it no longer holds the key: a new token may take its place."""
        try:
            completion = self._tokens.complete(holder.token_id, result, by, checked)
        except TokenNotFound:
            return None
        outcome = completion.outcome if isinstance(completion, Ended) else None
        if outcome is None or is_own(outcome, by):
            return completion
        return None if holder.is_expired(now) or self._tokens.outcome_is_past_retention(outcome, now) else completion

    def _make_early(self, token_id: str, key: IdempotencyKey, result: Result, by: CompletedBy, now: int) -> Token:
        assert key.expires_at is not None, "an early completion ends with its key"
        return Token(
            id=token_id,
            created_at=now,
            idempotency_key=key.text,
            idempotency_key_expires_at=key.expires_at,
            outcome=self._tokens.make_outcome(token_id, result, by, now),
            early_until=key.expires_at,
        )
