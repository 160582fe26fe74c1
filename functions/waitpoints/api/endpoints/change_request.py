"""The request to disable an endpoint, or to enable it again. `openapi.yaml` is generated from it."""

from typing import Any

from pydantic import Field

from waitpoints.api.request_model import RequestModel, validate


class ChangeEndpointRequest(RequestModel):
    """An unknown field is refused."""

    disabled: bool = Field(
        description="`true`: deliveries get 503 and are not processed. `false`: they are processed again.", examples=[True]
    )


def parse(body: Any) -> bool:
    """Return whether the endpoint is to be disabled. Raises InvalidRequest."""
    return validate(ChangeEndpointRequest, body).disabled
