"""Endpoints as the API returns them: absent fields are omitted, times are ISO 8601."""

from typing import Any

from waitpoints.endpoint import UNVERIFIED, Endpoint, EndpointStatistics, LastDelivery
from waitpoints.json_text import present
from waitpoints.token import iso


def configured(endpoint: Endpoint, url: str) -> dict[str, Any]:
    """Return an endpoint's configuration and its URL."""
    return present(
        {
            "name": endpoint.name,
            "url": url,
            "key": endpoint.key,
            "verify": endpoint.verify.shown() if endpoint.verify else UNVERIFIED,
            "completeWhen": endpoint.complete_when,
            "output": endpoint.output,
            "keyTTL": endpoint.key_ttl,
            "tag": endpoint.tag,
            "disabled": endpoint.disabled or None,
            "recordDeliveries": endpoint.record_deliveries,
            "createdAt": iso(endpoint.created_at),
            "updatedAt": iso(endpoint.updated_at),
        }
    )


def with_deliveries(endpoint: Endpoint, url: str, statistics: EndpointStatistics) -> dict[str, Any]:
    """Also return how many deliveries of each kind came, and the last one of each. Kinds that never came are omitted."""
    deliveries = {
        str(kind): {"count": count, **_last(statistics.last[kind])} for kind, count in sorted(statistics.counts.items())
    }
    return {**configured(endpoint, url), "deliveries": deliveries}


def _last(delivery: LastDelivery) -> dict[str, Any]:
    """Return the members as an endpoint shows them: `lastAt`, `lastUserAgent`."""
    members = {**delivery.members(), "at": iso(delivery.at)}
    return {f"last{name[0].upper()}{name[1:]}": value for name, value in members.items()}
