"""The request to test an endpoint: a delivery, as its provider would send it. `openapi.yaml` is generated from it."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from waitpoints.api import request_checks
from waitpoints.api.models.base import RequestModel


class TryEndpointRequest(RequestModel):
    """A delivery. An unknown field is refused, also from the SDK."""

    body: Any = Field(
        default="",
        description=(
            "The body: a text, exactly as the provider sends it, or any other JSON, which is written anew. Only a text can "
            "have the signature that the provider made."
        ),
    )
    headers: Annotated[Any, AfterValidator(request_checks.headers)] = Field(
        default={},
        description="The headers, of which a signature may need some.",
        json_schema_extra={"type": "object", "additionalProperties": {"type": "string"}},
    )
    query: str = Field(default="", description="The query, as it follows the question mark of the URL.")
