"""The delivery of a request to test an endpoint, as its provider would send it."""

from typing import TYPE_CHECKING

from waitpoints import json_text
from waitpoints.api.http import Request

if TYPE_CHECKING:
    from waitpoints.api.models.endpoint_trial import TryEndpointRequest


def delivery(sent: "TryEndpointRequest", request: Request) -> Request:
    """Return the delivery that a request describes. `request` is the one that asks for the test."""
    return Request(
        method="POST",
        domain=request.domain,
        source_ip=request.source_ip,
        path={},
        headers=sent.headers,
        raw_query=sent.query.removeprefix("?"),
        body_text=sent.body if isinstance(sent.body, str) else json_text.dumps(sent.body),
        is_base64=False,
    )
