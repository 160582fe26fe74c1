"""Create a token for a state machine, with the same fields as the HTTP route."""

from typing import Any

from waitpoints.api.create import Sent, create
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.create_token import CREATE_WAITPOINT_TOKEN_REQUEST
from waitpoints.state_task import state_task
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.urls))


@state_task
def handler(payload: dict[str, Any]) -> dict[str, Any]:
    return create(validate(CREATE_WAITPOINT_TOKEN_REQUEST, payload), Sent(services.api_url))
