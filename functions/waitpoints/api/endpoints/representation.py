"""Endpoints as the API returns them: absent fields are omitted, times are ISO 8601."""

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from waitpoints.api.representation import INLINE_LIMIT, bytes_in_an_answer
from waitpoints.endpoint import UNVERIFIED, Endpoint, EndpointStatistics
from waitpoints.token import iso

if TYPE_CHECKING:
    from waitpoints.recorded_delivery import Contents, RecordedDelivery


def configured(endpoint: Endpoint, url: str) -> dict[str, Any]:
    """Return an endpoint's configuration and its URL."""
    return {**endpoint.shown_members(), "url": url, "verify": endpoint.verify.shown() if endpoint.verify else UNVERIFIED}


def with_deliveries(endpoint: Endpoint, url: str, statistics: EndpointStatistics) -> dict[str, Any]:
    """Also return how many deliveries of each kind came, and the last one of each. Kinds that never came are omitted."""
    deliveries = {
        str(kind): {"count": count, **statistics.last[kind].shown_members()}
        for kind, count in sorted(statistics.counts.items())
    }
    return {**configured(endpoint, url), "deliveries": deliveries}


def recorded(delivery: "RecordedDelivery", endpoint: str) -> dict[str, Any]:
    """Return a recorded delivery of an endpoint, without its contents."""
    return {"kind": "pending", **delivery.shown_members(), "endpoint": endpoint, "expiresAt": iso(delivery.expires_at * 1000)}


def with_contents(delivery: "RecordedDelivery", endpoint: str, contents: "Contents | None") -> dict[str, Any]:
    """Also return what was sent, unless the bucket has it no more."""
    if contents is None:
        return recorded(delivery, endpoint)
    sent = {"headers": dict(contents.headers), "query": contents.raw_query, **_body(contents.body)}
    return {**recorded(delivery, endpoint), **sent}


def _body(body: bytes) -> dict[str, str]:
    """Return a body as a text, or in base64 if it is not UTF-8, or if the text is too large for a response."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and bytes_in_an_answer(text) <= INLINE_LIMIT:
        return {"body": text}
    return {"bodyBase64": b64encode(body).decode()}
