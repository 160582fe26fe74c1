"""Receive a delivery to an endpoint: verify it, evaluate it, complete its key, and count what became of it.

A readable delivery gets 200 even if it completes no token, because providers give up a URL that answers with errors. Only a
delivery that cannot be verified, or to a disabled endpoint, is refused.
"""

from typing import assert_never

from waitpoints import telemetry, timeouts
from waitpoints.api.deliveries import callback
from waitpoints.api.endpoints.evaluation import Evaluated, Evaluation, NoKey, NoOutput, NotMatching
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.providers.completed_by import read_completed_by
from waitpoints.complete_by_key import EarlyCompletion, NotAwaited
from waitpoints.endpoint import DeliveryKind, Endpoint, LastDelivery
from waitpoints.errors import EndpointDisabled, PayloadRefused, WrongSignature
from waitpoints.token import CompletedBy, IdempotencyKey, Outcome, Source, TimedOut
from waitpoints.tokens import Ended, RulesApply, Settled
from waitpoints.wiring import services

DISABLED = "the endpoint is disabled"


def receive(request: Request, endpoint: Endpoint, body: bytes) -> Response:
    """Complete the token of the delivery's key. Raises EndpointDisabled, WrongSignature, WrittenLater, or a failure of
    the provider's secret.
    """
    endpoint.check_version()
    by = read_completed_by(request, Source.ENDPOINT)
    if endpoint.disabled:
        _count(endpoint, DeliveryKind.REFUSED, by, detail=DISABLED)
        raise EndpointDisabled
    if answer := _check_signature(endpoint, request, body, by):
        return answer
    evaluation = Evaluation(endpoint, body, request.headers, request.raw_query)
    match evaluation.result:
        case Evaluated(key, output):
            _complete(endpoint, key, output, by)
        case NotMatching(reason):
            _count(endpoint, DeliveryKind.NOT_MATCHING, by, detail=reason)
        case NoKey(reason, shape):
            telemetry.note(shape=shape)
            _count(endpoint, DeliveryKind.NO_KEY, by, detail=reason)
        case NoOutput(reason):
            _count(endpoint, DeliveryKind.NO_OUTPUT, by, key=str(evaluation.key), detail=reason)
        case never:
            assert_never(never)
    return RECEIVED


def early_until(endpoint: Endpoint, now: int, retention: int) -> int:
    """Return until when a delivery that came first is kept (epoch milliseconds). `retention` is in seconds."""
    return now + min(timeouts.duration(endpoint.key_ttl), retention * 1000)


def after_the_end(outcome: Outcome | None) -> DeliveryKind:
    """Return what a delivery is whose token has ended with `outcome`."""
    return DeliveryKind.LATE if isinstance(outcome, TimedOut) else DeliveryKind.REPEATED


def _check_signature(endpoint: Endpoint, request: Request, body: bytes, by: CompletedBy) -> Response | None:
    """Check a delivery, or count it as refused and raise the reason. Returns what `verification.check` returns."""
    if endpoint.verify is None:
        return None
    from waitpoints.api.providers import verification

    url = services.urls.endpoint_url(endpoint.name, endpoint.secret_id, request.api_url)
    try:
        return verification.check(endpoint.verify, request, url, body)
    except WrongSignature as refusal:
        _count(endpoint, DeliveryKind.REFUSED, by, detail=refusal.message)
        raise
    except verification.SECRET_FAILURES as failure:
        telemetry.note(secret=services.webhook_secret_name(endpoint.verify.secret))
        _count(endpoint, DeliveryKind.REFUSED, by, detail=verification.secret_failure(endpoint.verify, failure))
        raise


def _complete(endpoint: Endpoint, key: str, output: str, by: CompletedBy) -> None:
    expires_at = early_until(endpoint, services.now(), services.store.retention)
    try:
        completion = callback.complete_by_key(IdempotencyKey(key, expires_at), output, by)
    except PayloadRefused as refusal:
        _count(endpoint, DeliveryKind.NOT_MATCHING, by, key=key, detail=refusal.message)
        return
    match completion.result:
        case Settled():
            kind = DeliveryKind.COMPLETED
        case EarlyCompletion():
            kind = DeliveryKind.KEPT
        case NotAwaited():
            kind = DeliveryKind.NOT_AWAITED
        case Ended(outcome, _):
            assert completion.token_id is not None
            services.tokens.count_delivery(completion.token_id, outcome, by)
            kind = after_the_end(outcome)
        case RulesApply():
            raise AssertionError("complete_by_key checks the rules")
        case never:
            assert_never(never)
    _count(endpoint, kind, by, key=key)


def _count(
    endpoint: Endpoint, kind: DeliveryKind, by: CompletedBy, *, key: str | None = None, detail: str | None = None
) -> None:
    telemetry.note(delivery=kind, endpoint=endpoint.name)
    last = LastDelivery(
        at=services.now(), ip=by.ip, user_agent=by.user_agent, delivery_id=by.delivery_id, key=key, detail=detail
    )
    services.endpoint_tally.count(endpoint.secret_id, kind, last)
