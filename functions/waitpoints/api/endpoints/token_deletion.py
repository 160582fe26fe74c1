"""Delete a settled token with all that hangs on it (invariant 8), so that a request that fails can be sent again.

First goes what the token alone names: the recorded delivery that settled it. Then the token and its key, in one transaction:
from then on, no one finds it. Last goes what its id names.
"""

from collections.abc import Callable
from contextlib import suppress

from waitpoints import telemetry
from waitpoints.access.caller import ROOT, Caller
from waitpoints.api.callbacks import callback
from waitpoints.api.endpoints import deletion
from waitpoints.endpoint import Endpoint
from waitpoints.errors import CannotResumeNow, NotAllResumed, StillWaits, TokenNotFound, TryAgain, attempts
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.token import CompletedBy, IdempotencyKey, TimedOut, Token, TokenError
from waitpoints.waiter_result import DELETED_ERROR
from waitpoints.wiring import services

DELETED = TokenError("The waitpoint was deleted before it was completed", DELETED_ERROR, "WAITPOINT_DELETED")


def delete(
    token_id: str, caller: Caller, by: CompletedBy, has_time: Callable[[], bool], *, force: bool
) -> tuple[Endpoint, RecordedDelivery] | None:
    """Delete a token, or what an earlier request has left of it. Returns the delivery that settled it if that stays.

    With `force`, a token that waits is failed first, as `by` says, and its waiters are resumed. Raises StillWaits and
    NotAllResumed without it, and Forbidden.
    """
    kept = None
    for _ in attempts("The waitpoint changes at the same moment. Send the same request again"):
        token = services.store.find(token_id)
        if token is None:
            break
        caller.check("delete", token.tags)
        if token.outcome is None or token.unresumed():
            _end(token, caller, by, force=force)
            continue
        kept = _delete_deliveries(token, has_time)
        if services.store.delete(token, holds_key=_holds_key(token)):
            telemetry.note(deleted=True)
            break
    if not services.store.delete_beside(token_id):
        raise TryAgain("AWS has left a part of the waitpoint. Send the same request again")
    services.outputs.delete_all(token_id)
    return kept


def _end(token: Token, caller: Caller, by: CompletedBy, *, force: bool) -> None:
    """Settle a token that waits or is due, or resume its waiters. Raises a refusal if that may or can not be."""
    if token.outcome is None and token.outcome_at(services.now()) is not None:
        services.tokens.expire(token.id)
    elif not force:
        raise StillWaits if token.outcome is None else NotAllResumed
    elif token.outcome is None:
        caller.check("complete", token.tags)
        with suppress(TokenNotFound):  # another request has deleted it
            callback.complete(token.id, DELETED, by, caller, by_root_key=caller is ROOT)
    else:
        for failure in services.tokens.resume_waiters(token.id):
            if isinstance(failure.reason, CannotResumeNow):
                raise failure.reason
            raise NotAllResumed(f"AWS refuses to resume a run that waits for the waitpoint: {failure.reason}")


def _holds_key(token: Token) -> bool:
    if token.idempotency_key is None:
        return False
    holder = services.store.find_key_holder(IdempotencyKey(token.idempotency_key))
    return holder is not None and holder.token_id == token.id


def _delete_deliveries(token: Token, has_time: Callable[[], bool]) -> tuple[Endpoint, RecordedDelivery] | None:
    """Delete the recorded delivery that settled a token, with its resends. Returns it if one of these settled another token."""
    if token.outcome is None or isinstance(token.outcome, TimedOut):
        return None
    record = token.outcome.completed_by and token.outcome.completed_by.record
    found = record and _find_delivery(record)
    if not found:
        return None
    endpoint, delivery = found
    settled = [deletion.find_settled(endpoint, one) for one in deletion.with_resends(endpoint, delivery)]
    if any(it.id != token.id and it.early_until is None for it in settled if it is not None):
        return found
    deletion.delete(endpoint, delivery, has_time)
    return None


def _find_delivery(delivery_id: str) -> tuple[Endpoint, RecordedDelivery] | None:
    """Return a recorded delivery, or the one that it repeats, with its endpoint, which its id does not name."""
    for endpoint in services.endpoints.every():
        found = services.deliveries.get(endpoint.secret_id, delivery_id)
        if found is None:
            continue
        while found.resend_of and (original := services.deliveries.get(endpoint.secret_id, found.resend_of)):
            found = original
        return endpoint, found
    return None
