"""Create a token from a request, which comes over HTTP or from a state machine."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from waitpoints import timeouts
from waitpoints.access.caller import ROOT, Caller
from waitpoints.api.create_request import MAX_TAGS, CreateWaitpointTokenRequest
from waitpoints.api.deliveries import output_check, rules
from waitpoints.errors import TooManyTags
from waitpoints.token import Document, IdempotencyKey, KeyKind, NewToken, Waiter, WaiterKind
from waitpoints.tokens import Created
from waitpoints.wiring import services

REQUEST_KEY_LIFETIME = 3_600_000  # milliseconds; the SDK stops retrying after seconds


@dataclass(frozen=True, slots=True)
class Sent:
    """What a create request has besides its fields.

    The callback URL starts with `api_url` unless the stack has a public base URL. `request_key` is the same for every retry of
    one call. `traceparent` is the header, which counts if there is no valid field of this name. `metadata` is the field's text.
    """

    api_url: str
    caller: Caller = ROOT
    request_key: str | None = None
    traceparent: str | None = None
    metadata: str | None = None


def create(wanted: CreateWaitpointTokenRequest, sent: Sent) -> dict[str, Any]:
    """Create the requested token and return the response's fields.

    The token gets the tag that limits the caller, and other names only within it. Raises Forbidden, InvalidTimeout,
    InvalidPage, InvalidNotify, and what else the request's fields raise.
    """
    now, caller = services.now(), sent.caller
    tags = _tags(wanted, caller)
    document = rules.check_document(wanted)
    timeout_at = timeouts.timeout_at(wanted.timeout, now, services.timeout_limits)
    new = NewToken(
        timeout_at=timeout_at,
        tags=tags,
        key=_idempotency_key(wanted, sent, now),
        waiter=_waiter(wanted, now),
        rules=rules.check(wanted),
        document=document,
        metadata=_metadata(wanted, sent),
        traceparent=_traceparent(wanted.traceparent, sent.traceparent),
        first_ask=rules.check_plan(wanted.page, now, timeout_at),
        created_by=caller.name,
    )
    created = services.tokens.create(new, now, partial(output_check.fits, document) if document else None)
    url = services.urls.url(created.token_id, sent.api_url)
    answer = {"id": created.token_id, "isCached": created.is_cached, "url": url}
    return answer | _links(created, document, sent.api_url) if document else answer


def _tags(wanted: CreateWaitpointTokenRequest, caller: Caller) -> tuple[str, ...]:
    """Return the token's tags, with that of the caller's key. Raises Forbidden for what the key may not do, or TooManyTags."""
    caller.check_names("create", "tags", *wanted.tags)
    if wanted.idempotency_key is not None:
        caller.check_names("create", "idempotencyKey", wanted.idempotency_key)
    tags: tuple[str, ...] = wanted.tags
    tag = caller.only_tag("create")
    if tag is not None and tag not in tags:
        if len(tags) >= MAX_TAGS:
            raise TooManyTags(
                f"Waitpoints can only have {MAX_TAGS} tags, and your API key adds one: {tag}. Set at most {MAX_TAGS - 1}"
            )
        tags = (*tags, tag)
    if wanted.notify is not None:
        caller.check("notify", tags)
    return tags


def _links(created: Created, document: Document, api_url: str) -> dict[str, Any]:
    """Return the links of those who may answer the token's page. An earlier create may have named other people."""
    if not document.has_approvers:
        return {}
    from waitpoints.api.page import definition

    text = document.text if created.is_new else services.tokens.read_document(created.token_id, document.kind)
    approval = definition.load(text, waits=False).approval if text else None
    if approval is None:
        return {}
    return {"links": approval.links(partial(services.urls.approver_url, created.token_id, api_url))}


def _metadata(wanted: CreateWaitpointTokenRequest, sent: Sent) -> str | None:
    if wanted.metadata is None:
        return None
    from waitpoints.api import metadata

    return metadata.check(wanted.metadata, sent.metadata)


def _waiter(wanted: CreateWaitpointTokenRequest, now: int) -> Waiter | None:
    if wanted.handle is None:
        return None
    kind = WaiterKind.STEP_FUNCTIONS if wanted.callback_id is None else WaiterKind.DURABLE_FUNCTION
    return Waiter(wanted.handle, now, wanted.unwrap, wanted.context, wanted.execution, kind)


def _traceparent(*sent: str | None) -> str | None:
    if not any(sent):
        return None
    from waitpoints.traceparent import first_valid

    return first_valid(*sent)


def _idempotency_key(wanted: CreateWaitpointTokenRequest, sent: Sent, now: int) -> IdempotencyKey | None:
    """Return the token's key: the caller's, else the one that the SDK sends with each retry of a call.

    The latter is one of the API key's own: no request finds by it what another API key has created.
    """
    request_key = sent.request_key
    if request_key and sent.caller.digits is not None:
        request_key = f"{sent.caller.digits}/{request_key}"
    expires_at = timeouts.key_expires_at(wanted.idempotency_key_ttl, now)
    if wanted.idempotency_key is not None:
        return IdempotencyKey(wanted.idempotency_key, expires_at, request_key)
    if request_key:
        return IdempotencyKey(request_key, now + REQUEST_KEY_LIFETIME, request_key, KeyKind.REQUEST)
    return None
