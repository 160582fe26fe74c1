"""Record a delivery to an endpoint before it settles anything, and then what became of it.

A request that fails in between leaves the delivery pending: the provider sends it again, and the doctor processes it.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote_plus

from waitpoints import timeouts
from waitpoints.api.endpoints import deletion
from waitpoints.api.endpoints.processing import Processed
from waitpoints.api.http import Request
from waitpoints.api.providers.completed_by import DELIVERY_IDS
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.recorded_delivery import MAX_DETAIL, Contents, RecordedDelivery, cut, new_delivery_id
from waitpoints.token import CompletedBy, Verification
from waitpoints.wiring import services

_SECRET_NAME = re.compile(
    r"secret|token|password|passwd|passphrase|pwd|signature|hmac|auth(?!ors?$)|api[-_]?key|access[-_]?key|cookie|credential|jwt"
    r"|bearer|session[-_]?id|^(pass|key|sig|sid|session|code|otp|pin|private)$",
    re.IGNORECASE,
)
_HAS_A_URL = {"referer", "x-original-url", "x-rewrite-url", "x-forwarded-uri"}  # whose query may have a secret


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
    contents = Contents(headers_to_record(endpoint.verify, request.headers), query_to_record(request.raw_query), body)
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


def headers_to_record(verify: Verification, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers without secrets: those whose names say so, and what the scheme reads but for the id of the event.

    A provider may sign twice, in headers of which the scheme reads one: so every header of a signature is left out.
    """
    hidden = (_read_by_scheme(verify) - set(DELIVERY_IDS)) | {verify.header} | _HAS_A_URL
    named = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in named.items() if not (name in hidden or _SECRET_NAME.search(name))}


def query_to_record(raw_query: str) -> str:
    """Return the query without parameters whose names say that they are secret."""
    parameters = raw_query.split("&") if raw_query else []
    return "&".join(it for it in parameters if not _SECRET_NAME.search(unquote_plus(it.partition("=")[0])))


def _read_by_scheme(verify: Verification) -> set[str]:
    from waitpoints.api.providers import own_scheme  # a resend needs none
    from waitpoints.api.providers.schemes import SCHEMES, Header, Item, Scheme

    scheme: Scheme | None = own_scheme.read(verify) if verify.scheme == "hmac" else SCHEMES.get(verify.scheme)
    names = {verify.header} if verify.header else set()
    if scheme is None:
        return names
    places = [scheme.signature, *scheme.parts.values(), *(it.header for it in scheme.parts.values() if isinstance(it, Item))]
    return names.union(*(place.names for place in places if isinstance(place, Header)))
