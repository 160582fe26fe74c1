"""The request to move the deadline of a token. `openapi.yaml` is generated from it."""

from dataclasses import replace
from typing import Any

from pydantic import Field

from waitpoints.api.request_model import RequestModel, validate
from waitpoints.timeouts import Limits, timeout_at


class MoveDeadlineRequest(RequestModel):
    """An unknown field is refused."""

    timeout: Any = Field(
        description="As in a create: a duration from now, or a date. `null`: the token no longer times out.",
        examples=["7d"],
        json_schema_extra={"anyOf": [{"type": "string"}, {"type": "null"}]},
    )


def parse(body: Any, now: int, limits: Limits) -> int | None:
    """Return the new timeout in epoch milliseconds, or None for none. Raises InvalidRequest or InvalidTimeout.

    The stack's longest timeout is counted from `now`, as at a create. Its default timeout is of no use here: null means none.
    """
    return timeout_at(validate(MoveDeadlineRequest, body).timeout, now, replace(limits, default=""))
