"""Parse a request to send a recorded delivery again. Two texts need no validator."""

from dataclasses import dataclass
from typing import Annotated, Any

from waitpoints import ids
from waitpoints.errors import InvalidRequest
from waitpoints.idempotency_key import MAX_LENGTH, check_key
from waitpoints.json_text import Stored
from waitpoints.unknown_names import refuse_unknown


@dataclass(frozen=True, slots=True)
class Resend(Stored):
    """What a request may say."""

    token_id: Annotated[
        str | None,
        {"examples": ["waitpoint_01jd3rj5v0000000000000000a"]},
        "Send it to this token, and not to the one that has its key. Of the endpoint's settings, only `output` is used then.",
    ] = None
    idempotency_key: Annotated[
        str | None,
        {"examples": ["retry-4711"], "min_length": 1, "max_length": MAX_LENGTH},
        "Requests with one key send the delivery once, and get the same answer, for as long as that is recorded.",
    ] = None


def parse(body: Any) -> Resend:
    """Raises InvalidRequest, and TokenNotFound for what is no token's id."""
    if not isinstance(body, dict):
        raise InvalidRequest('Validation error: expected an object, such as {} or {"tokenId": "waitpoint_…"}')
    refuse_unknown(body, Resend.names().values())
    for name in Resend.names().values():
        if name in body and not isinstance(body[name], str):
            raise InvalidRequest(f'Validation error: expected a text at "{name}"')
    token_id, key = body.get("tokenId"), body.get("idempotencyKey")
    return Resend(
        None if token_id is None else ids.parse(token_id),
        None if key is None else check_key(key),
    )
