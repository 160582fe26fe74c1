"""Create a token from a request, which comes over HTTP or from a state machine."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from waitpoints import timeouts
from waitpoints.access.caller import ROOT, Caller
from waitpoints.api.callbacks import output_check, rules
from waitpoints.api.request_checks import MAX_TAGS
from waitpoints.errors import TooManyTags
from waitpoints.token import IdempotencyKey, KeyKind, NewToken, Waiter, WaiterKind
from waitpoints.wiring import services

if TYPE_CHECKING:
    from waitpoints.api.models.create_token import CreateWaitpointTokenRequest

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


def create(wanted: "CreateWaitpointTokenRequest", sent: Sent) -> dict[str, Any]:
    """Create the requested token and return the response's fields.

    The token gets the tag that limits the caller, and other names only within it. Raises Forbidden, InvalidTimeout,
    InvalidPage, InvalidNotify, and what else the request's fields raise.
    """
    now, caller = services.now(), sent.caller
    tags = _tags(wanted, caller)
    waiter = key = metadata = traceparent = None
    if (handle := wanted.callback_id if wanted.task_token is None else wanted.task_token) is not None:
        kind = WaiterKind.STEP_FUNCTIONS if wanted.callback_id is None else WaiterKind.DURABLE_FUNCTION
        waiter = Waiter(handle, now, wanted.unwrap, wanted.context, wanted.execution, kind)
    request_key = sent.request_key
    if request_key and caller.digits is not None:  # one of the API key's own: no request finds by it what another has created
        request_key = f"{caller.digits}/{request_key}"
    expires_at = timeouts.key_expires_at(wanted.idempotency_key_ttl, now)
    if wanted.idempotency_key is not None:
        key = IdempotencyKey(wanted.idempotency_key, expires_at, request_key)
    elif request_key:
        key = IdempotencyKey(request_key, now + REQUEST_KEY_LIFETIME, request_key, KeyKind.REQUEST)
    timeout_at = timeouts.timeout_at(wanted.timeout, now, services.timeout_limits)
    checked, document, first_ask = rules.check_rules(wanted, now, timeout_at)
    if wanted.metadata is not None:
        from waitpoints.api.metadata import check_metadata

        metadata = check_metadata(wanted.metadata, sent.metadata)
    if wanted.traceparent or sent.traceparent:
        from waitpoints.traceparent import first_valid

        traceparent = first_valid(wanted.traceparent, sent.traceparent)
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
    if caller.is_person:  # the token of a key may be one that asks others
        return answer | {"url": ""}
    if document and checked.has_approvers:
        from waitpoints import approvers, json_text

        found = None if created.is_new else services.tokens.find_or_none(created.token_id)
        approval = approvers.of_page(json_text.parse(document.text)) if created.is_new else found and approvers.of_token(found)
        if approval:
            answer["links"] = approval.links(approval.everybody(), partial(services.urls.url, created.token_id, sent.api_url))
    return answer


def _tags(wanted: "CreateWaitpointTokenRequest", caller: Caller) -> tuple[str, ...]:
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
