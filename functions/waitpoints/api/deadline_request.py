"""Parse a request to move the deadline of a token."""

from dataclasses import replace
from typing import Any

from waitpoints.errors import InvalidRequest
from waitpoints.timeouts import ACCEPTED, Limits, timeout_at
from waitpoints.unknown_names import refuse_unknown

FIELDS = ("timeout",)


def parse(body: Any, now: int, limits: Limits) -> int | None:
    """Return the new timeout in epoch milliseconds, or None for none. Raises InvalidRequest or InvalidTimeout.

    The stack's longest timeout is counted from `now`, as at a create. Its default timeout is of no use here: null means none.
    """
    if not isinstance(body, dict):
        raise InvalidRequest('Validation error: expected an object with "timeout"')
    refuse_unknown(body, FIELDS)
    if "timeout" not in body:
        raise InvalidRequest(f'Validation error: "timeout" is missing: expected {ACCEPTED}, or null for none')
    return timeout_at(body["timeout"], now, replace(limits, default=""))
