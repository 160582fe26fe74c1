"""Receive a delivery to an endpoint: verify it, record it if the endpoint does, complete its key, and count what became of it.

A readable delivery gets 200 even if it completes no token, because providers give up a URL that answers with errors. Only a
delivery that cannot be verified, or to a disabled endpoint, is refused.
"""

from dataclasses import replace

from waitpoints import telemetry
from waitpoints.api.endpoints.evaluation import Evaluation
from waitpoints.api.endpoints.processing import Processed, count, process
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.providers.completed_by import read_completed_by
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.errors import EndpointDisabled, WrongSignature
from waitpoints.token import CompletedBy, Source
from waitpoints.wiring import services

DISABLED = "the endpoint is disabled"


def receive(request: Request, endpoint: Endpoint, body: bytes) -> Response:
    """Complete the token of the delivery's key. Raises EndpointDisabled, WrongSignature, WrittenLater, or a failure of
    the provider's secret.
    """
    endpoint.check_version()
    by = read_completed_by(request, Source.ENDPOINT)
    if endpoint.disabled:
        count(endpoint, Processed(DeliveryKind.REFUSED, detail=DISABLED), by)
        raise EndpointDisabled
    if answer := _check_signature(endpoint, request, body, by):
        return answer
    record = None
    if endpoint.is_recorded:
        from waitpoints.api.endpoints import recording

        record = recording.begin(endpoint, request, body, by)
        by = replace(by, record=record.id)
    processed = process(endpoint, Evaluation(endpoint, body, request.headers, request.raw_query), by)
    count(endpoint, processed, by)
    if record is not None:
        recording.finish(endpoint, record, processed)
    return RECEIVED


def _check_signature(endpoint: Endpoint, request: Request, body: bytes, by: CompletedBy) -> Response | None:
    """Check a delivery, or count it as refused and raise the reason. Returns what `verification.check` returns."""
    if endpoint.verify is None:
        return None
    from waitpoints.api.providers import verification

    url = services.urls.endpoint_url(endpoint.name, endpoint.secret_id, request.api_url)
    try:
        return verification.check(endpoint.verify, request, url, body)
    except WrongSignature as refusal:
        count(endpoint, Processed(DeliveryKind.REFUSED, detail=refusal.message), by)
        raise
    except verification.SECRET_FAILURES as failure:
        telemetry.note(secret=services.webhook_secret_name(endpoint.verify.secret))
        detail = verification.secret_failure(endpoint.verify, failure)
        count(endpoint, Processed(DeliveryKind.REFUSED, detail=detail), by)
        raise
