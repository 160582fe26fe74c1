"""Parse the request to change a waiting token: its timeout, or who may answer its page."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from waitpoints.api.request_model import validate
from waitpoints.api.schemas.deadline import MOVE_DEADLINE_REQUEST
from waitpoints.errors import InvalidRequest
from waitpoints.timeouts import Limits, timeout_at

if TYPE_CHECKING:
    from waitpoints.api.hand_over_request import WantedHandOver


@dataclass(frozen=True, slots=True)
class NewDeadline:
    """In epoch milliseconds, or None for none."""

    timeout_at: int | None


def parse(body: Any, now: int, limits: Limits) -> "NewDeadline | WantedHandOver":
    """Return what to change. Raises InvalidRequest, InvalidTimeout or InvalidPage.

    The stack's longest timeout is counted from `now`, as at a create. Its default timeout is of no use here: null means none.
    """
    wanted = validate(MOVE_DEADLINE_REQUEST, body)
    if len(wanted.model_fields_set) != 1:
        raise InvalidRequest('Validation error: expected either "timeout", such as "7d", or "approvers"')
    if wanted.approvers is not None:
        from waitpoints.api import hand_over_request

        return hand_over_request.parse(wanted.approvers)
    return NewDeadline(timeout_at(wanted.timeout, now, replace(limits, default="")))
