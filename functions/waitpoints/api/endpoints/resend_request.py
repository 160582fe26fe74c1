"""Parse a request to send a recorded delivery again. Without pydantic, which would double the cold start."""

from dataclasses import dataclass
from typing import Any

from waitpoints import idempotency_key, ids
from waitpoints.errors import InvalidRequest
from waitpoints.unknown_names import refuse_unknown

FIELDS = ("tokenId", "idempotencyKey")


@dataclass(frozen=True, slots=True)
class Resend:
    """`token_id`: send it to this token, and not by its key. Requests with one `idempotency_key` send it once."""

    token_id: str | None = None
    idempotency_key: str | None = None


def parse(body: Any) -> Resend:
    """Raises InvalidRequest, and TokenNotFound for what is no token's id."""
    if not isinstance(body, dict):
        raise InvalidRequest('Validation error: expected an object, such as {} or {"tokenId": "waitpoint_…"}')
    refuse_unknown(body, FIELDS)
    for name in FIELDS:
        if name in body and not isinstance(body[name], str):
            raise InvalidRequest(f'Validation error: expected a text at "{name}"')
    token_id, key = body.get("tokenId"), body.get("idempotencyKey")
    return Resend(
        None if token_id is None else ids.parse(token_id),
        None if key is None else idempotency_key.check_key(key),
    )
