"""The request to change a waiting token: its timeout, or who may answer its page. `openapi.yaml` is generated from it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from waitpoints.api.request_model import ABSENT, RequestModel, validate
from waitpoints.errors import InvalidRequest
from waitpoints.timeouts import Limits, timeout_at

if TYPE_CHECKING:
    from pydantic.config import JsonDict

    from waitpoints.api.hand_over_request import WantedHandOver

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


@dataclass(frozen=True, slots=True)
class NewDeadline:
    """In epoch milliseconds, or None for none."""

    timeout_at: int | None


def parse(body: Any, now: int, limits: Limits) -> "NewDeadline | WantedHandOver":
    """Return what to change. Raises InvalidRequest, InvalidTimeout or InvalidPage.

    The stack's longest timeout is counted from `now`, as at a create. Its default timeout is of no use here: null means none.
    """
    wanted = validate(MoveDeadlineRequest, body)
    if len(wanted.model_fields_set) != 1:
        raise InvalidRequest('Validation error: expected either "timeout", such as "7d", or "approvers"')
    if wanted.approvers is not None:
        from waitpoints.api import hand_over_request

        return hand_over_request.parse(wanted.approvers)
    return NewDeadline(timeout_at(wanted.timeout, now, replace(limits, default="")))
