"""The request to change a waiting token: its timeout, or who may answer its page. `openapi.yaml` is generated from it."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from waitpoints.api.models.base import ABSENT, RequestModel

if TYPE_CHECKING:
    from pydantic.config import JsonDict

APPROVERS_SCHEMA: "JsonDict" = {
    "type": "object",
    "minProperties": 1,
    "properties": {
        "add": {
            "type": "array",
            "items": {"type": ["string", "object"]},
            "minItems": 1,
            "maxItems": 20,
            "description": "As in the page's `approvers`. Those who may answer already are passed over.",
        },
        "remove": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": 40,
            "description": "Ids. Those who have answered cannot be removed (409).",
        },
    },
    "additionalProperties": False,
}


class MoveDeadlineRequest(RequestModel):
    """One of the two fields. An unknown field is refused."""

    timeout: Any = Field(
        default=None,
        description="As in a create: a duration from now, or a date. `null`: the token no longer times out.",
        examples=["7d"],
        json_schema_extra={"anyOf": [{"type": "string"}, {"type": "null"}]},
    )
    approvers: dict[str, Any] = Field(
        default=ABSENT,
        description="Who may answer the token's page from now on.",
        examples=[{"add": ["bo@example.com"], "remove": ["ann"]}],
        json_schema_extra=APPROVERS_SCHEMA,
    )
