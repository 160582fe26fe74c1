"""Process a verified delivery to an endpoint: evaluate it, and complete its key."""

from dataclasses import dataclass
from typing import assert_never

from waitpoints import ids, telemetry, timeouts
from waitpoints.api.callbacks import callback
from waitpoints.api.endpoints.evaluation import Evaluated, Evaluation, NoKey, NoOutput, NotMatching
from waitpoints.complete_by_key import EarlyCompletion, NotAwaited, is_own
from waitpoints.endpoint import DeliveryKind, Endpoint, LastDelivery
from waitpoints.errors import PayloadRefused
from waitpoints.token import ALL_CHECKED, CompletedBy, IdempotencyKey, Outcome, Rule, TimedOut
from waitpoints.tokens import Completion, Ended, RulesApply, Settled
from waitpoints.wiring import services


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of a delivery: its kind, the key that it named, the token that it found or made, and a reason.

    `was_before`: it had settled or made the token when it was processed before, without being finished.
    """

    kind: DeliveryKind
    key: str | None = None
    token_id: str | None = None
    detail: str | None = None
    was_before: bool = False


def count(endpoint: Endpoint, processed: Processed, by: CompletedBy) -> None:
    """Count a delivery in its endpoint's statistics."""
    telemetry.note(delivery=processed.kind, endpoint=endpoint.name)
    last = LastDelivery(
        at=services.now(),
        ip=by.ip,
        user_agent=by.user_agent,
        delivery_id=by.delivery_id,
        key=processed.key,
        detail=processed.detail,
    )
    services.endpoint_tally.count(endpoint.secret_id, processed.kind, last)


def process(endpoint: Endpoint, evaluation: Evaluation, by: CompletedBy, checked: frozenset[Rule] = ALL_CHECKED) -> Processed:
    """Complete the token of a verified delivery's key. Returns what became of the delivery. A failure raises.

    A token with other rules than those `checked` stays as it is.
    """
    match evaluation.result:
        case Evaluated(key, output):
            expires_at = early_until(endpoint, services.now(), services.store.retention)
            try:
                completion = callback.complete_by_key(IdempotencyKey(key, expires_at), output, by, checked)
            except PayloadRefused as refusal:
                return Processed(DeliveryKind.NOT_MATCHING, key, detail=refusal.message)
            return processed(completion.result, by, completion.token_id, key)
        case NotMatching(reason):
            return Processed(DeliveryKind.NOT_MATCHING, detail=reason)
        case NoKey(reason, shape):
            telemetry.note(shape=shape)
            return Processed(DeliveryKind.NO_KEY, detail=reason)
        case NoOutput(reason):
            return Processed(DeliveryKind.NO_OUTPUT, str(evaluation.key), detail=reason)
        case never:
            assert_never(never)


def early_until(endpoint: Endpoint, now: int, retention: int) -> int:
    """Return until when a delivery that came first is kept (epoch milliseconds). `retention` is in seconds."""
    return now + min(timeouts.duration(endpoint.key_ttl), retention * 1000)


def after_the_end(outcome: Outcome | None) -> DeliveryKind:
    """Return what a delivery is whose token has ended with `outcome`."""
    return DeliveryKind.LATE if isinstance(outcome, TimedOut) else DeliveryKind.REPEATED


def processed(
    result: Completion | EarlyCompletion | NotAwaited, by: CompletedBy, token_id: str | None, key: str | None = None
) -> Processed:
    """Return what became of a delivery that completed a token or a key with this result. Counts it if the token had ended."""
    match result:
        case Settled():
            kind = DeliveryKind.COMPLETED
        case EarlyCompletion():
            kind = DeliveryKind.KEPT
        case NotAwaited():
            kind = DeliveryKind.NOT_AWAITED
        case Ended(outcome, _) if is_own(outcome, by):
            assert token_id is not None
            assert outcome is not None
            is_early = ids.first_of(outcome.at) <= token_id <= ids.last_of(outcome.at)  # made in its outcome's millisecond
            kind = DeliveryKind.KEPT if is_early else DeliveryKind.COMPLETED
            return Processed(kind, key, token_id, was_before=True)
        case Ended(outcome, _):
            assert token_id is not None
            services.tokens.count_delivery(token_id, outcome, by)
            kind = after_the_end(outcome)
        case RulesApply():
            raise AssertionError("the rules were checked before")
        case never:
            assert_never(never)
    return Processed(kind, key, token_id)
