"""Endpoints as the API returns them: absent fields are omitted, times are ISO 8601."""

from base64 import b64encode
from contextlib import suppress
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
    """Also return what was sent, unless the bucket has it no more. In base64 if it is no text, or too large as one."""
    if contents is None:
        return recorded(delivery, endpoint)
    shown = {**recorded(delivery, endpoint), "headers": dict(contents.headers), "query": contents.raw_query}
    with suppress(UnicodeDecodeError):
        text = contents.body.decode()
        if bytes_in_an_answer(text) <= INLINE_LIMIT:
            return {**shown, "body": text}
    return {**shown, "bodyBase64": b64encode(contents.body).decode()}
