"""Process recorded deliveries that a function left pending, by their endpoints' current settings. They were verified before."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from operator import itemgetter

from waitpoints import telemetry
from waitpoints.api.endpoints import recording, resending
from waitpoints.api.endpoints.evaluation import Evaluation
from waitpoints.api.endpoints.processing import count, process
from waitpoints.api.providers.completed_by import completed_by_of
from waitpoints.doctor.repair import DeliveryRepairs, succeeds
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.errors import WrittenLater
from waitpoints.recorded_delivery import Contents, RecordedDelivery
from waitpoints.token import Source
from waitpoints.wiring import services

Find = Callable[[str], Endpoint | None]
"""Finds the endpoint of a name."""


def repair(marks: Iterable[tuple[str, str, str]], has_time: Callable[[], bool]) -> DeliveryRepairs:
    """Process what is marked, the oldest first. Begins nothing more once `has_time` returns False."""
    result, find = DeliveryRepairs(), cache(services.endpoints.get)
    for secret_id, name, delivery_id in sorted(marks, key=itemgetter(2)):
        one = partial(_repair_one, secret_id, name, delivery_id, find, result)
        if not (has_time() and succeeds(one, record=delivery_id, endpoint=name)):
            result.remaining.append(delivery_id)
    return result


def _repair_one(secret_id: str, name: str, delivery_id: str, find: Find, result: DeliveryRepairs) -> None:
    """What an endpoint of a later version has recorded is left pending, and what a disabled one has, but for resends."""
    endpoint = find(name)
    if endpoint is None or endpoint.secret_id != secret_id:
        _drop(secret_id, delivery_id)
    elif not endpoint.is_later:
        delivery = services.deliveries.get(secret_id, delivery_id)
        is_there = delivery is not None and delivery.expires_at * 1000 > services.now()
        contents = services.deliveries.contents(secret_id, delivery_id) if is_there else None
        if delivery is None or contents is None:
            _drop(secret_id, delivery_id)
        elif (delivery.resend_of or not endpoint.disabled) and _process(endpoint, delivery, contents):
            result.repaired += 1


def _process(endpoint: Endpoint, delivery: RecordedDelivery, contents: Contents) -> bool:
    """Returns whether it has settled a token, or is kept, only now."""
    by = completed_by_of(contents.headers, contents.raw_query, Source.ENDPOINT, delivery.ip, delivery.by)
    by = replace(by, record=delivery.id)
    try:
        if delivery.resend_of is not None:
            processed = resending.process(endpoint, delivery, contents)
        else:
            processed = process(endpoint, Evaluation(endpoint, contents.body, contents.headers, contents.raw_query), by)
            if not processed.was_before:
                count(endpoint, processed, by)
    except WrittenLater:  # that version processes it
        telemetry.count("TokensWrittenLater")
        return False
    recording.finish(endpoint, delivery, processed)
    return not processed.was_before and processed.kind in (DeliveryKind.COMPLETED, DeliveryKind.KEPT)


def _drop(secret_id: str, delivery_id: str) -> None:
    """Delete a delivery that nothing can process: it, its endpoint or its contents are gone."""
    telemetry.note(dropped=True)
    services.deliveries.drop(secret_id, delivery_id)
