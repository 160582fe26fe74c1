"""The request to test an endpoint: a delivery, as its provider would send it. `openapi.yaml` is generated from it."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from waitpoints import json_text
from waitpoints.api.http import Request
from waitpoints.api.request_model import RequestModel


def _check_headers(value: Any) -> dict[str, str]:
    """Return the headers, each name in lower case. pydantic would describe each of a million wrong values."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("expected an object of texts")
    return {name.lower(): text for name, text in value.items()}


class TryEndpointRequest(RequestModel):
    """A delivery. An unknown field is refused, also from the SDK."""

    body: Any = Field(
        default="",
        description=(
            "The body: a text, exactly as the provider sends it, or any other JSON, which is written anew. Only a text can "
            "have the signature that the provider made."
        ),
    )
    headers: Annotated[Any, AfterValidator(_check_headers)] = Field(
        default={},
        description="The headers, of which a signature may need some.",
        json_schema_extra={"type": "object", "additionalProperties": {"type": "string"}},
    )
    query: str = Field(default="", description="The query, as it follows the question mark of the URL.")

    def delivery(self, request: Request) -> Request:
        """Return the delivery. `request` is the one that asks for the test."""
        return Request(
            method="POST",
            domain=request.domain,
            source_ip=request.source_ip,
            path={},
            headers=self.headers,
            raw_query=self.query.removeprefix("?"),
            body_text=self.body if isinstance(self.body, str) else json_text.dumps(self.body),
            is_base64=False,
        )
