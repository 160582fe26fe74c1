"""Send a recorded delivery again, as a recorded delivery of its own, by the endpoint's settings of today.

Without a token's id it completes what a delivery would. With one it goes to that token, and of the settings only `output` is
used: the token's `completeWhen` and `payloadSchema` say whether it fits. Nothing is signed again, and no person answers, so a
waiting token with `verify` or a page is refused. A resend that is processed twice comes to the same. No statistics count it.
"""

from waitpoints import telemetry
from waitpoints.access.caller import Caller
from waitpoints.api.callbacks import expressions, output_check
from waitpoints.api.endpoints import processing, recording
from waitpoints.api.endpoints.evaluation import Evaluated, Evaluation, NoOutput
from waitpoints.api.endpoints.processing import Processed
from waitpoints.api.endpoints.resend_request import Resend
from waitpoints.api.http import Request
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.errors import DeliveryNotFound, PayloadRefused, ResendRefused, TokenNotFound
from waitpoints.recorded_delivery import Contents, RecordedDelivery, new_delivery_id
from waitpoints.recorded_delivery import cut as cut_text
from waitpoints.token import NOTHING_CHECKED, RESENT, CompletedBy, Source, Token, cut
from waitpoints.tokens import RulesApply
from waitpoints.wiring import services

NO_CONTENTS = "The body of this delivery is no longer stored, so it cannot be sent again"
DELETED = "This delivery was deleted while it was sent again"
NOT_MATCHING = "the result of the waitpoint's completeWhen is null, false or empty"
ELSEWHERE = "This idempotencyKey has sent the delivery to another waitpoint. Use another key"
IS_GONE = "the waitpoint was removed after its retention"


def resend(endpoint: Endpoint, original: RecordedDelivery, wanted: Resend, request: Request) -> RecordedDelivery:
    """Send a delivery again, and return the new one. Of an idempotency key, only the first request sends it.

    Raises DeliveryNotFound, TokenNotFound, ResendRefused, Forbidden or WrittenLater before anything is stored.
    """
    endpoint.check_version()
    deliveries, record = services.deliveries, None
    if wanted.idempotency_key is not None:
        record = deliveries.find_resend(endpoint.secret_id, original.id, wanted.idempotency_key, services.now())
        _check_same(record, wanted)
    if record is None or record.kind is None:  # the function that began it may have failed
        contents = deliveries.contents(endpoint.secret_id, (record or original).id)
        if contents is None:
            raise DeliveryNotFound(NO_CONTENTS)
        if record is None:
            _check_target(_evaluation(endpoint, contents), wanted, request.caller)
            new = _new(endpoint, original, wanted.token_id, request)
            record = deliveries.begin(endpoint.secret_id, endpoint.name, new, contents, wanted.idempotency_key)
            _check_same(record, wanted)  # another request of the key may have been first
            if deliveries.get(endpoint.secret_id, original.id) is None:  # its deletion may not have found the resend
                deliveries.delete(endpoint.secret_id, record.id)
                raise DeliveryNotFound(DELETED)
        if record.kind is None:
            finished = recording.finish(endpoint, record, process(endpoint, record, contents))
            record = finished or deliveries.get(endpoint.secret_id, record.id)
            if record is None:
                raise DeliveryNotFound(DELETED)
    telemetry.note(record=record.id, delivery=record.kind)
    return record


def process(endpoint: Endpoint, record: RecordedDelivery, contents: Contents) -> Processed:
    """Process a pending resend. Returns what became of it. A failure raises."""
    by, evaluation = _completed_by(record, contents), _evaluation(endpoint, contents)
    if record.token_id is None:
        return processing.process(endpoint, evaluation, by, RESENT)
    return _send(record.token_id, evaluation, by)


def _check_same(record: RecordedDelivery | None, wanted: Resend) -> None:
    """Raises ResendRefused if the key has sent it to another token than is named."""
    if record is not None and wanted.token_id not in (None, record.token_id):
        raise ResendRefused(ELSEWHERE)


def _evaluation(endpoint: Endpoint, contents: Contents) -> Evaluation:
    return Evaluation(endpoint, contents.body, contents.headers, contents.raw_query)


def _check_target(evaluation: Evaluation, wanted: Resend, caller: Caller) -> None:
    """Check that the caller may complete what waits for the delivery, and that this may be completed so."""
    token: Token | None = None
    if wanted.token_id is not None:
        token = services.tokens.find(wanted.token_id)
        caller.check("complete", token.tags)
    elif isinstance(evaluation.result, Evaluated):
        caller.check_names("complete", "the waitpoint's key", evaluation.result.key)
        token = services.completions_by_key.find_token(evaluation.result.key)
    if token is None or token.outcome is not None:
        return
    token.check_version()
    if token.rules and not token.rules.are_met(RESENT):
        raise ResendRefused


def _new(endpoint: Endpoint, original: RecordedDelivery, token_id: str | None, request: Request) -> RecordedDelivery:
    """If the endpoint records no more, it is kept for as long as the original."""
    now = services.now()
    return RecordedDelivery(
        id=new_delivery_id(now),
        at=now,
        size=original.size,
        expires_at=recording.expires_at(endpoint, now) if endpoint.is_recorded else original.expires_at,
        token_id=token_id,
        delivery_id=original.delivery_id,
        resend_of=original.id,
        by=request.caller.name,
        ip=request.source_ip,
        user_agent=cut_text(request.headers.get("user-agent")),
    )


def _completed_by(record: RecordedDelivery, contents: Contents) -> CompletedBy:
    return CompletedBy(
        source=Source.ENDPOINT,
        ip=record.ip,
        user_agent=record.user_agent,
        content_type=cut(contents.headers.get("content-type")),
        query=cut(contents.raw_query),
        delivery_id=record.delivery_id,
        key=record.by,
        record=record.id,
    )


def _send(token_id: str, evaluation: Evaluation, by: CompletedBy) -> Processed:
    """Complete a token that a caller named."""
    output = evaluation.output
    if isinstance(output, NoOutput):
        return Processed(DeliveryKind.NO_OUTPUT, token_id=token_id, detail=output.reason)
    try:
        completion = services.tokens.complete(token_id, output, by, NOTHING_CHECKED)
        if isinstance(completion, RulesApply):
            rules = completion.rules
            if not rules.are_met(RESENT):
                raise PayloadRefused(ResendRefused.sentence)
            if rules.complete_when and not expressions.matches(rules.complete_when, evaluation.delivery):
                raise PayloadRefused(NOT_MATCHING)
            output_check.accept(token_id, rules, output)
            completion = services.tokens.complete(token_id, output, by, RESENT)
    except TokenNotFound:
        return Processed(DeliveryKind.NOT_AWAITED, token_id=token_id, detail=IS_GONE)
    except PayloadRefused as refusal:
        return Processed(DeliveryKind.NOT_MATCHING, token_id=token_id, detail=refusal.message)
    return processing.processed(completion, by, token_id)
