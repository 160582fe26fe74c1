"""The create field `metadata`: what a caller knows a token by, such as its run, agent or order. Kept as it was sent."""

import json
from collections.abc import Mapping
from typing import Any

from waitpoints import json_text
from waitpoints.errors import InvalidRequest

MAX_BYTES = 4096  # of JSON text, in UTF-8


def check_metadata(value: Mapping[str, Any], sent: str | None = None) -> str:
    """Return the JSON text for the table: `sent`, which has every digit, or else one of the value. Raises InvalidRequest.

    Refuses what Step Functions or EventBridge may refuse: it would keep a result from its run, or an event from the bus.
    """
    text = json_text.dumps(value) if sent is None else sent
    if len(text.encode()) > MAX_BYTES:
        raise _refusal(f"of at most {MAX_BYTES:,} bytes of JSON")
    try:
        json.dumps(json_text.parse(text, parse_int=_int), ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise _refusal("without numbers of more than 64 bits and halves of surrogate pairs") from None
    return text


def _int(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _refusal(accepted: str) -> InvalidRequest:
    return InvalidRequest(f'Validation error: expected an object {accepted} at "metadata"')
