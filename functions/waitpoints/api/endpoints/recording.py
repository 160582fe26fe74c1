"""Record a delivery to an endpoint before it settles anything, and then what became of it.

A request that fails in between leaves the delivery pending: the provider sends it again, and the doctor processes it.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from waitpoints import timeouts
from waitpoints.api.endpoints import deletion
from waitpoints.api.endpoints.processing import Processed
from waitpoints.api.http import Request
from waitpoints.api.providers.completed_by import DELIVERY_IDS
from waitpoints.api.providers.secret_names import is_secret, query_without_secrets, value_without_secrets
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.recorded_delivery import MAX_DETAIL, Contents, RecordedDelivery, cut, new_delivery_id
from waitpoints.token import CompletedBy, Verification
from waitpoints.wiring import services

_READ_BY_KEY = re.compile(r'\b(headers|query)\."?([\w-]+)')
_NEVER = {
    *("authorization", "proxy-authorization", "cookie"),
    *("referer", "x-original-url", "x-rewrite-url", "x-forwarded-uri"),  # the URL's path may have a secret
}


def begin(endpoint: Endpoint, request: Request, body: bytes, by: CompletedBy) -> RecordedDelivery:
    """Store a verified delivery as pending."""
    assert endpoint.verify is not None, "only endpoints that verify deliveries record them"
    now = services.now()
    delivery = RecordedDelivery(
        id=new_delivery_id(now),
        at=now,
        size=len(body),
        expires_at=expires_at(endpoint, now),
        delivery_id=cut(by.delivery_id),
        ip=by.ip,
        user_agent=cut(by.user_agent),
    )
    contents = Contents(headers_to_record(endpoint, request.headers), query_to_record(endpoint, request.raw_query), body)
    return services.deliveries.begin(endpoint.secret_id, endpoint.name, delivery, contents)


def finish(endpoint: Endpoint, delivery: RecordedDelivery, processed: Processed) -> RecordedDelivery | None:
    """Store what became of a delivery, and return it. Returns None if another function has finished it, or if it was deleted.

    What a deleted delivery has kept goes with it.
    """
    finished = replace(
        delivery,
        kind=processed.kind,
        key=cut(processed.key),
        detail=cut(processed.detail, MAX_DETAIL),
        token_id=processed.token_id,
    )
    if services.deliveries.finish(endpoint.secret_id, finished):
        return finished
    if finished.kind is DeliveryKind.KEPT and services.deliveries.get(endpoint.secret_id, delivery.id) is None:
        deletion.withdraw(finished)
    return None


def expires_at(endpoint: Endpoint, now: int) -> int:
    """Return until when a delivery is recorded (epoch seconds)."""
    assert endpoint.record_deliveries is not None
    return (now + timeouts.duration(endpoint.record_deliveries)) // 1000 + 1


def headers_to_record(endpoint: Endpoint, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers without secrets: those whose names say so, and what the scheme reads but for the id of the event.

    A provider may sign twice, in headers of which the scheme reads one: so every header of a signature is left out. What the
    endpoint's `key` reads stays, as a resend needs it, and the row has it in its key.
    """
    assert endpoint.verify is not None
    hidden = (_read_by_scheme(endpoint.verify) - set(DELIVERY_IDS)) | {endpoint.verify.header} | _NEVER
    needed = {*DELIVERY_IDS, *(name.lower() for name in _read_by_key(endpoint, "headers"))}
    named = {name.lower(): value for name, value in headers.items() if name.lower() not in hidden}
    return {
        name: value if name in needed else value_without_secrets(value)
        for name, value in named.items()
        if name in needed or not is_secret(name)
    }


def query_to_record(endpoint: Endpoint, raw_query: str) -> str:
    """Return the query without secrets, but for what the endpoint's `key` reads."""
    return query_without_secrets(raw_query, _read_by_key(endpoint, "query"))


def _read_by_key(endpoint: Endpoint, part: str) -> frozenset[str]:
    """Return the names of the headers, or the query's parameters, that the expression names."""
    return frozenset(name for of, name in _READ_BY_KEY.findall(endpoint.key) if of == part)


def _read_by_scheme(verify: Verification) -> set[str]:
    from waitpoints.api.providers import own_scheme  # a resend needs none
    from waitpoints.api.providers.schemes import SCHEMES, Header, Item, Scheme

    scheme: Scheme | None = own_scheme.read(verify) if verify.scheme == "hmac" else SCHEMES.get(verify.scheme)
    names = {verify.header} if verify.header else set()
    if scheme is None:
        return names
    places = [scheme.signature, *scheme.parts.values(), *(it.header for it in scheme.parts.values() if isinstance(it, Item))]
    return names.union(*(place.names for place in places if isinstance(place, Header)))
