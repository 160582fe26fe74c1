"""POST /api/v1/waitpoints/tokens: create a token."""

from waitpoints import json_text
from waitpoints.access.credentials import write_scope
from waitpoints.api.create import Sent, create
from waitpoints.api.http import CREATE_LIMIT, Request, Response, http_handler
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.create_token import CREATE_WAITPOINT_TOKEN_REQUEST
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.urls, s.credentials))


@http_handler("POST", allow=("GET", "POST"), scope="create")
def handler(request: Request) -> Response:
    body = request.read_json(CREATE_LIMIT, optional=True, kept=("metadata",))
    wanted = validate(CREATE_WAITPOINT_TOKEN_REQUEST, body, ignore_unknown=request.from_sdk)
    sent = Sent(
        request.api_url,
        request.caller,
        request.headers.get("x-trigger-request-idempotency-key"),
        request.headers.get("traceparent"),
        None if wanted.metadata is None else request.read_members(CREATE_LIMIT)["metadata"],
    )
    created = create(wanted, sent)
    if request.caller.is_person:
        return Response(created)
    scopes = [write_scope(created["id"])]
    access_token = services.credentials.sign_public_access_token(scopes, caller=request.caller, own=True)
    claims = json_text.dumps(services.credentials.claims(request.caller))
    return Response(created, headers={"x-trigger-jwt": access_token, "x-trigger-jwt-claims": claims})
