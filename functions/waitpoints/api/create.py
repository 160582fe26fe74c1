"""Create a token from a request, which comes over HTTP or from a state machine."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from waitpoints import timeouts
from waitpoints.access.caller import ROOT, Caller
from waitpoints.api.callbacks import output_check, rules
from waitpoints.api.create_request import MAX_TAGS, CreateWaitpointTokenRequest
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
    waiter, key = _waiter(wanted, now), _idempotency_key(wanted, sent, now)
    timeout_at = timeouts.timeout_at(wanted.timeout, now, services.timeout_limits)
    checked, document, first_ask = rules.check_rules(wanted, now, timeout_at)
    metadata, traceparent = _correlation(wanted, sent)
    new = NewToken(
        timeout_at=timeout_at,
        tags=tags,
        key=key,
        waiter=waiter,
        rules=checked,
        document=document,
        metadata=metadata,
        traceparent=traceparent,
        first_ask=first_ask,
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
    """Return the links of those who may answer the token's page. Those of a token that existed are its own."""
    if not document.has_approvers:
        return {}
    from waitpoints import approvers, json_text

    if created.is_new:
        approval = approvers.of_page(json_text.parse(document.text))
    else:
        found = services.tokens.find_or_none(created.token_id)
        approval = approvers.of_token(found) if found else None
    if approval is None:
        return {}
    return {"links": approval.links(approval.everybody(), partial(services.urls.url, created.token_id, api_url))}


def _waiter(wanted: CreateWaitpointTokenRequest, now: int) -> Waiter | None:
    if wanted.handle is None:
        return None
    kind = WaiterKind.STEP_FUNCTIONS if wanted.callback_id is None else WaiterKind.DURABLE_FUNCTION
    return Waiter(wanted.handle, now, wanted.unwrap, wanted.context, wanted.execution, kind)


def _correlation(wanted: CreateWaitpointTokenRequest, sent: Sent) -> tuple[str | None, str | None]:
    """Return the token's metadata and its traceparent, by which the caller knows it."""
    text = span = None
    if wanted.metadata is not None:
        from waitpoints.api import metadata

        text = metadata.check_metadata(wanted.metadata, sent.metadata)
    if wanted.traceparent or sent.traceparent:
        from waitpoints import traceparent

        span = traceparent.first_valid(wanted.traceparent, sent.traceparent)
    return text, span


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
