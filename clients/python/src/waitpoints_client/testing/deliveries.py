"""The fake's recorded deliveries. All times are epoch milliseconds."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_plus

from waitpoints_client.testing import listing
from waitpoints_client.testing.answers import Refusal, iso, refuse_unknown, without_none
from waitpoints_client.testing.tokens import new_id

KINDS = ("completed", "kept", "repeated", "late", "notAwaited", "notMatching", "noKey", "noOutput", "pending")
PARAMETERS = (
    "page[size]", "page[after]", "filter[kind]", "filter[key]", "filter[deliveryId]",
    "filter[createdAt][period]", "filter[createdAt][from]", "filter[createdAt][to]",
)  # fmt: skip
EVENT_IDS = (
    "webhook-id", "svix-id", "x-github-delivery", "x-gitlab-event-uuid", "x-shopify-webhook-id", "x-hook-uuid",
    "x-request-uuid", "linear-delivery", "x-pagerduty-webhook-id", "request-id", "x-twilio-webhook-id",
    "i-twilio-idempotency-token", "x-amz-sns-message-id", "x-goog-message-number", "ce-id", "idempotency-key",
)  # fmt: skip
"""The headers with a provider's id of its event."""
_CREDENTIALS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"}
_SECRET = re.compile(r"secret|token|password|passwd|signature|auth|api[-_]?key|^(key|sig|hmac|code)$", re.IGNORECASE)
_ID = re.compile(r"(?:delivery_)?([0-7][0-9a-hjkmnp-tv-z]{25})", re.ASCII)


@dataclass(frozen=True)
class Received:
    """What was sent to an endpoint."""

    body: bytes
    headers: Mapping[str, str]
    query: str

    @property
    def event_id(self) -> str | None:
        """The provider's id of its event."""
        return next((cut(self.headers[name]) for name in EVENT_IDS if self.headers.get(name)), None)


@dataclass(frozen=True)
class FakeDelivery:
    """A recorded delivery."""

    id: str
    endpoint: str
    at: int
    expires_at: int
    kind: str
    received: Received
    key: str | None = None
    detail: str | None = None
    token_id: str | None = None
    repeat_of: str | None = None
    resend_of: str | None = None
    user_agent: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return it as a list of the API does."""
        instants = {"createdAt": iso(self.at), "expiresAt": iso(self.expires_at)}
        event_id = self.received.event_id
        return without_none(
            {
                **{"id": self.id, "endpoint": self.endpoint, "kind": self.kind, **instants, "size": len(self.received.body)},
                **{"key": self.key, "detail": self.detail, "tokenId": self.token_id, "deliveryId": event_id},
                **{"repeatOf": self.repeat_of, "resendOf": self.resend_of, "userAgent": self.user_agent},
            }
        )

    def retrieved(self) -> dict[str, Any]:
        """Return it with what was sent."""
        body = self.received.body
        try:
            content = {"body": body.decode()}
        except UnicodeDecodeError:
            content = {"bodyBase64": base64.b64encode(body).decode()}
        return {**self.shown(), "headers": dict(self.received.headers), "query": self.received.query, **content}


class Recorded:
    """The deliveries that an endpoint recorded."""

    def __init__(self) -> None:
        self._all: dict[str, FakeDelivery] = {}
        self._resends: dict[tuple[str, str], str] = {}

    def add(self, made: FakeDelivery, once: str | None = None) -> FakeDelivery:
        """Record a delivery. Returns it with `repeat_of` if its event was recorded before."""
        first = None
        if made.resend_of is None and made.received.event_id is not None:
            same = [it for it in self._live(made.at) if it.received.event_id == made.received.event_id]
            first = next((it.id for it in same if it.resend_of is None), None)
        kept = replace(made, repeat_of=first)
        self._all[made.id] = kept
        if once is not None and made.resend_of is not None:
            self._resends[made.resend_of, once] = made.id
        return kept

    def resent(self, delivery_id: str, once: str, now: int) -> FakeDelivery | None:
        """Return the earlier resend of a delivery with an idempotency key."""
        found = self._all.get(self._resends.get((delivery_id, once), ""))
        return found if found and found.expires_at > now else None

    def get(self, text: str, now: int) -> FakeDelivery:
        """Return a delivery. Raises Refusal."""
        match = _ID.fullmatch(text)
        found = self._all.get(f"delivery_{match[1]}") if match else None
        if found is None or found.expires_at <= now:
            raise Refusal(404, "Delivery not found", "DeliveryNotFound")
        return found

    def resends(self, delivery: FakeDelivery) -> list[FakeDelivery]:
        return [it for it in self._all.values() if it.resend_of == delivery.id]

    def delete(self, delivery: FakeDelivery) -> None:
        self._all.pop(delivery.id, None)

    def page(self, query: Mapping[str, str], now: int) -> tuple[list[FakeDelivery], dict[str, str]]:
        """Return the deliveries of an answer, the newest first, and its `pagination`. Raises Refusal."""
        refuse_unknown(query, PARAMETERS, "parameter")
        accepts, size, after = _filter(query, now), listing.size_of(query), query.get("page[after]")
        if after and not _ID.fullmatch(after):
            raise Refusal(400, "Query Error: page[after] must be a cursor from pagination.next")
        found = sorted(filter(accepts, self._live(now)), key=lambda it: it.id, reverse=True)
        ahead = [it for it in found if not after or it.id < f"delivery_{after.removeprefix('delivery_')}"]
        shown = ahead[:size]
        return shown, {"next": shown[-1].id.removeprefix("delivery_")} if len(ahead) > size else {}

    def all(self, now: int) -> list[FakeDelivery]:
        """Return all deliveries, the oldest first."""
        return self._live(now)

    def _live(self, now: int) -> list[FakeDelivery]:
        return [it for it in self._all.values() if it.expires_at > now]


def new_delivery_id(now: int) -> str:
    """Return an id for a delivery that comes now."""
    return "delivery_" + new_id(now).removeprefix("waitpoint_")


def cut(text: str | None) -> str | None:
    """Cut a text to the 100 bytes that are kept of it."""
    return None if text is None else text.encode("utf-8", "replace")[:100].decode(errors="ignore")


def without_secrets(received: Received, verify: Mapping[str, Any]) -> Received:
    """Return what is kept of a delivery: no credential, no signature, no secret of the query."""
    hidden = _CREDENTIALS | {str(verify.get("header", "")).lower()}
    headers = {name.lower(): value for name, value in received.headers.items() if name.lower() not in hidden}
    parameters = received.query.split("&") if received.query else []
    query = "&".join(it for it in parameters if not _SECRET.search(unquote_plus(it.partition("=")[0])))
    return Received(received.body, headers, query)


def _filter(query: Mapping[str, str], now: int) -> Callable[[FakeDelivery], bool]:
    kinds = listing.any_of(query, "filter[kind]")
    if wrong := [kind for kind in kinds if kind not in KINDS]:
        raise Refusal(400, f"Query Error: filter[kind] Invalid kinds: {', '.join(wrong)}; expected {', '.join(KINDS)}")
    key, event_id = cut(query.get("filter[key]")), cut(query.get("filter[deliveryId]"))
    start, end = listing.between(query, "filter[createdAt]", now)

    def accepts(it: FakeDelivery) -> bool:
        return (
            (not kinds or it.kind in kinds)
            and (not key or it.key == key)
            and (not event_id or it.received.event_id == event_id)
            and start <= it.at <= end
        )

    return accepts
