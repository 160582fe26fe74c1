"""What can happen to a token: it is created, completed, waited for, and timed out."""

from dataclasses import dataclass, replace
from typing import assert_never

from waitpoints import telemetry
from waitpoints.aws.outputs import Outputs
from waitpoints.delivery import Clock, Delivery, NotResumed
from waitpoints.errors import TokenNotFound, TooManyWaiters
from waitpoints.ids import new_id
from waitpoints.listing import ListQuery, Page, page
from waitpoints.ports import TokenStore
from waitpoints.token import MAX_WAITERS, EndlessKey, IdempotencyKey, KeyHolder, KeyKind, NewToken, Token, Waiter


@dataclass(frozen=True, slots=True)
class Created:
    """The token that a create returns, and whether an earlier call had made it."""

    token_id: str
    is_cached: bool


class Tokens:
    def __init__(self, store: TokenStore, outputs: Outputs, delivery: Delivery, clock: Clock) -> None:
        self._store = store
        self._outputs = outputs
        self._delivery = delivery
        self._clock = clock

    def create(self, new: NewToken, now: int) -> Created:
        """Make a token, or find the live one that holds `new.key`. `new.waiter` waits for whichever it is."""
        token, key = _token(new, now), new.key
        holder = self._store.create(token, key, now)
        telemetry.note(tokenId=holder.token_id if holder else token.id, isNew=holder is None)
        if key and holder and self._may_be_removed(holder, now) and self._is_removed(holder.token_id, now):
            holder = self._store.create(token, key, now, removed_token=holder.token_id)
        if holder is None:
            telemetry.count("TokensCreated")
            return Created(token.id, is_cached=False)
        if new.waiter:
            self.wait(holder.token_id, new.waiter)
        return Created(holder.token_id, is_cached=not holder.same_request)

    def retrieve(self, token_id: str) -> Token:
        """The token as every reader sees it now, with its output. Raises TokenNotFound."""
        telemetry.note(tokenId=token_id)
        token, now = self._store.get(token_id), self._clock()
        if self._is_past_retention(token, now):
            raise TokenNotFound
        outcome = token.outcome_at(now)
        return replace(token, outcome=outcome and self._delivery.with_output(outcome))

    def check_exists(self, token_id: str) -> None:
        """Raises TokenNotFound if there is no such token."""
        if self._is_removed(token_id, self._clock()):
            raise TokenNotFound

    def list_page(self, query: ListQuery) -> Page:
        """A page of tokens as every reader sees them now, without their outputs and waiters."""
        now = self._clock()
        found = page(self._store.partitions(query.filter, now), query)
        live = [token for token in found.tokens if not self._is_past_retention(token, now)]
        return replace(found, tokens=[replace(token, outcome=token.outcome_at(now)) for token in live])

    def complete(self, token_id: str, output: str | None, source: str = "Complete") -> None:
        """Settle a waiting token with `output` (JSON text) and resume its waiters; `source` says who completed it.

        A token that has ended stays as it is, and so does one past its timeout, which is settled as timed out.
        Raises TokenNotFound.
        """
        stored = self._outputs.store(token_id, output)
        now = self._clock()
        won, token = self._store.complete(token_id, stored, now)
        telemetry.note(tokenId=token_id, won=won)
        if won:
            telemetry.count(f"TokensSettledBy{source}")
            self._delivery.resume_fast(token)
        elif token.outcome is None:
            self._time_out(token_id, now)  # by the same clock reading: the clock may be set back in between

    def wait(self, token_id: str, waiter: Waiter) -> None:
        """Store a waiter on a waiting token, or tell it the outcome at once: there is nothing in between.

        Raises TokenNotFound, TooManyWaiters, and CannotResume or CannotResumeNow when it could not be told.
        """
        now = self._clock()
        stored, token = self._store.add_waiter(token_id, waiter, now)
        telemetry.note(tokenId=token_id, waiter=waiter.key, toldAtOnce=not stored)
        if stored:
            return
        if token.outcome_at(now) is None:
            if waiter.key in token.waiters:
                return
            raise TooManyWaiters(f"A waitpoint can have {MAX_WAITERS} waiters, and this one has them all")
        if self._is_past_retention(token, now):
            raise TokenNotFound
        if token.outcome is None:
            token = self._time_out(token_id, now)
        self._delivery.tell_late(token, waiter)

    def expire(self, token_id: str) -> int | None:
        """Time a token out if it is due. Returns its timeout if that is still to come, else None: nothing is left to do.

        Most tokens have settled by then, so read first: a refused write costs as much as the whole item.
        """
        now = self._clock()
        try:
            token = self._store.get(token_id)
            if token.outcome is None and token.outcome_at(now) is not None:
                token = self._time_out(token_id, now)
        except TokenNotFound:
            return None
        return token.timeout_at if token.outcome is None else None

    def resume_waiters(self, token_id: str) -> list[NotResumed]:
        """Resume every waiter of a settled token without a recorded reply; returns those that still have none."""
        try:
            token = self._store.get(token_id)
        except TokenNotFound:
            return []
        if token.outcome is None or not token.undelivered():
            return []
        telemetry.count("WaitersRepaired", len(token.undelivered()))
        return self._delivery.resume(token)

    def release_if_orphaned(self, key: EndlessKey) -> bool:
        """Delete an idempotency key whose token retention has removed. True: the key needs no more attention now."""
        if self._is_removed(key.token_id, self._clock()) and self._store.release_key(key):
            telemetry.count("KeysReleased")
        return True

    def _may_be_removed(self, holder: KeyHolder, now: int) -> bool:
        return now - holder.since >= self._store.retention * 1000

    def _is_removed(self, token_id: str, now: int) -> bool:
        try:
            return self._is_past_retention(self._store.get(token_id), now)
        except TokenNotFound:
            return True

    def _is_past_retention(self, token: Token, now: int) -> bool:
        """Whether TTL may have removed it. TTL runs days late, and the bucket may have deleted its output already."""
        return token.outcome is not None and token.outcome.at + self._store.retention * 1000 <= now

    def _time_out(self, token_id: str, now: int) -> Token:
        """Settle a token as timed out if it is due at `now`. Returns what it is now, whichever call settled it."""
        won, token = self._store.time_out(token_id, now)
        telemetry.note(tokenId=token_id, timedOut=won)
        if won:
            telemetry.count("TokensSettledByTimeout")
            self._delivery.resume_fast(token)
        return token


def _token(new: NewToken, now: int) -> Token:
    users_key = _users_key(new.key) if new.key else None
    return Token(
        id=new_id(now),
        created_at=now,
        timeout_at=new.timeout_at,
        tags=new.tags,
        idempotency_key=users_key.text if users_key else None,
        idempotency_key_expires_at=users_key.expires_at if users_key else None,
        waiters={new.waiter.key: new.waiter} if new.waiter else {},
    )


def _users_key(key: IdempotencyKey) -> IdempotencyKey | None:
    """The key if the user chose it. The SDK's own is never shown."""
    match key.kind:
        case KeyKind.IDEMPOTENCY:
            return key
        case KeyKind.REQUEST:
            return None
    assert_never(key.kind)
