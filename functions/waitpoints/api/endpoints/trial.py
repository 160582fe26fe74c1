"""Say what would become of a delivery to an endpoint, step by step, with the code that receives deliveries. Nothing changes."""

from dataclasses import dataclass
from typing import Annotated, Any, assert_never

from waitpoints.api.callbacks import output_check
from waitpoints.api.endpoints import endpoint_delivery, processing
from waitpoints.api.endpoints.evaluation import Evaluation, NoKey, NoOutput
from waitpoints.api.http import Request, Response
from waitpoints.api.providers import maybe_handshake
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.errors import PayloadRefused, WrongSignature
from waitpoints.json_text import Called, Stored, present
from waitpoints.token import Completed, Failed, Rules, TimedOut, Token, iso
from waitpoints.wiring import services

HANDSHAKE = "handshake"
STEPS = (HANDSHAKE, "endpoint", "signature", "completeWhen", "key", "output", "token")
SHOWN_OUTPUT = 262_144  # characters


@dataclass(frozen=True, slots=True)
class Step(Stored):
    """What one step of a delivery came to. `ends_as`: the delivery ends here, as this kind."""

    name: Annotated[str, Called("step"), {"enum": STEPS}]
    result: Annotated[str, "What the step came to. For `key` it is the key."]
    detail: Annotated[str | None, "Why."] = None
    ends_as: DeliveryKind | str | None = None


def try_delivery(endpoint: Endpoint, request: Request, body: bytes) -> dict[str, Any]:
    """Return every step of the delivery, and what it would end as: the first step at which it ends."""
    endpoint.check_version()
    evaluation = Evaluation(endpoint, body, request.headers, request.raw_query)
    key, output = evaluation.key, evaluation.output
    token = None if isinstance(key, NoKey) else services.completions_by_key.find_token(key)
    if token:
        token.check_version()
    steps = [
        *([_answered(answer)] if (answer := maybe_handshake.answer(request, body)) else []),
        *([Step("endpoint", "disabled", endpoint_delivery.DISABLED, DeliveryKind.REFUSED)] if endpoint.disabled else []),
        _try_signature(endpoint, request, body),
        _try_match(endpoint, evaluation),
        Step("key", "none", key.reason, DeliveryKind.NO_KEY) if isinstance(key, NoKey) else Step("key", key),
        Step("output", "none", output.reason, DeliveryKind.NO_OUTPUT)
        if isinstance(output, NoOutput)
        else Step("output", "found"),
        *([] if isinstance(key, NoKey) or isinstance(output, NoOutput) else [_try_token(endpoint, token, output)]),
    ]
    return present(
        {
            "outcome": next(step.ends_as for step in steps if step.ends_as),
            "steps": [step.shown_members() for step in steps],
            "key": None if isinstance(key, NoKey) else key,
            "token": token and token.id,
            "output": output if isinstance(output, str) and len(output) <= SHOWN_OUTPUT else None,
        }
    )


def _answered(answer: Response) -> Step:
    return Step(HANDSHAKE, "answered", f"with status {answer.status}", HANDSHAKE)


def _try_signature(endpoint: Endpoint, request: Request, body: bytes) -> Step:
    if endpoint.verify is None:
        return Step("signature", "not asked for")
    from waitpoints.api.providers import verification

    url = services.urls.endpoint_url(endpoint.name, endpoint.secret_id, request.api_url)
    try:
        answer = verification.check(endpoint.verify, request, url, body, quiet=True)
    except WrongSignature as refusal:
        return Step("signature", "refused", refusal.message, DeliveryKind.REFUSED)
    except verification.SECRET_FAILURES as failure:
        detail = verification.secret_failure(endpoint.verify, failure)
        return Step("signature", "refused", detail, DeliveryKind.REFUSED)
    return _answered(answer) if answer else Step("signature", "verified")


def _try_match(endpoint: Endpoint, evaluation: Evaluation) -> Step:
    if endpoint.complete_when is None:
        return Step("completeWhen", "not asked for")
    if evaluation.mismatch:
        return Step("completeWhen", "does not match", evaluation.mismatch.reason, DeliveryKind.NOT_MATCHING)
    return Step("completeWhen", "matches")


def _try_token(endpoint: Endpoint, token: Token | None, output: str) -> Step:
    """What would become of the key's token."""
    now = services.now()
    outcome = token.outcome_at(now) if token else None
    expires_at = token.idempotency_key_expires_at if token else None
    if token is None or (outcome is not None and expires_at is not None and expires_at <= now):
        if processing.early_until(endpoint, now, services.store.retention) <= now:
            return Step("token", "not awaited", "no token has the key, and keyTTL is 0s", DeliveryKind.NOT_AWAITED)
        return Step("token", "kept", f"no token has the key yet; kept for {endpoint.key_ttl}", DeliveryKind.KEPT)
    match outcome:
        case None:
            try:
                output_check.accept(token.id, token.rules or Rules(), output)
            except PayloadRefused as refusal:
                return Step("token", "does not match", refusal.message, DeliveryKind.NOT_MATCHING)
            return Step("token", "completed", "it waits, and would be completed", DeliveryKind.COMPLETED)
        case Completed(at) | Failed(at) | TimedOut(at):
            kind = processing.after_the_end(outcome)
            return Step("token", kind, f"it has ended at {iso(at)} as {outcome.status}", kind)
    assert_never(outcome)
