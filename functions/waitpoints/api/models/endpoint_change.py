"""The request to disable an endpoint, or to enable it again. `openapi.yaml` is generated from it."""

from pydantic import Field

from waitpoints.api.models.base import RequestModel


class ChangeEndpointRequest(RequestModel):
    """An unknown field is refused."""

    disabled: bool = Field(
        description="`true`: deliveries get 503 and are not processed. `false`: they are processed again.", examples=[True]
    )
