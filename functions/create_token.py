"""POST /api/v1/waitpoints/tokens, and the same as a direct invocation from a state machine: make a token."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import json_text, timeouts
from waitpoints.api.credentials import write_scope
from waitpoints.api.endpoint import CREATE_LIMIT, Request, Response, endpoint
from waitpoints.api.models import CreateWaitpointTokenRequest, validated
from waitpoints.state_task import state_task
from waitpoints.token import IdempotencyKey, KeyKind, NewToken, Waiter
from waitpoints.wiring import services

REQUEST_KEY_LIFETIME = 3_600_000  # milliseconds; the SDK gives up on a call after seconds

services.build_at_start("tokens", "callback_urls", "credentials")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    if "requestContext" in event:
        return over_http(event, context)
    return in_state(event, context)


@endpoint("POST", allow=("GET", "POST"))
def over_http(request: Request) -> Response:
    services.credentials.check_api_key(request.authorization)
    body = request.json_value(CREATE_LIMIT)
    created = create(body, request.headers.get("x-trigger-request-idempotency-key"))
    access_token = services.credentials.public_access_token([write_scope(created["id"])])
    claims = json_text.dumps(services.credentials.claims)
    return Response(created, headers={"x-trigger-jwt": access_token, "x-trigger-jwt-claims": claims})


@state_task
def in_state(payload: dict[str, Any]) -> dict[str, Any]:
    return create(payload, None)


def create(body: Any, request_key: str | None) -> dict[str, Any]:
    """Make the token that `body` asks for; `request_key` is the same for every retry of one call."""
    wanted = validated(CreateWaitpointTokenRequest, body)
    now = services.now()
    new = NewToken(
        timeout_at=timeouts.timeout_at(wanted.timeout, now, services.timeout_limits),
        tags=wanted.all_tags,
        key=idempotency_key(wanted, request_key, now),
        waiter=Waiter(wanted.task_token, now, wanted.unwrap) if wanted.task_token else None,
    )
    created = services.tokens.create(new, now)
    url = services.callback_urls.url(created.token_id)
    return {"id": created.token_id, "isCached": created.is_cached, "url": url}


def idempotency_key(wanted: CreateWaitpointTokenRequest, request_key: str | None, now: int) -> IdempotencyKey | None:
    """The key that the token is made under: the caller's, or the one that the SDK sends with each retry of a call."""
    expires_at = timeouts.key_expires_at(wanted.idempotency_key_ttl, now)
    if wanted.idempotency_key is not None:
        return IdempotencyKey(wanted.idempotency_key, expires_at, request_key)
    if request_key:
        return IdempotencyKey(request_key, now + REQUEST_KEY_LIFETIME, request_key, KeyKind.REQUEST)
    return None
