"""The operations of the API, each described once: what is sent, and how its answer is read. Nothing here sends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import httpx
from typing_extensions import Unpack

from waitpoints_client import models, wire
from waitpoints_client.answer import Answer
from waitpoints_client.options import (
    CreateOptions,
    DeliveryFilters,
    DeliveryOrId,
    EndpointOptions,
    ListFilters,
    TokenOrId,
    id_of,
)
from waitpoints_client.request_types import ApproverOptions

Read = TypeVar("Read")
Model = TypeVar("Model", bound=Answer)

TOKENS: Final = "/api/v1/waitpoints/tokens"
ENDPOINTS: Final = "/api/v1/endpoints"
KEYS: Final = "/api/v1/keys"


class Absent(Enum):
    """The type of ABSENT."""

    ABSENT = "ABSENT"

    def __repr__(self) -> str:
        return self.value


ABSENT: Final = Absent.ABSENT
"""No value, where None is one: JSON's null."""


@dataclass(frozen=True)
class Call(Generic[Read]):
    """One request. `read` makes a value of its answer, and raises ValueError or KeyError if another server answered."""

    method: str
    path: str
    """Of the API, or the URL of a callback, which is sent no key."""
    read: Callable[[httpx.Response], Read]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = ABSENT
    """JSON, or bytes as they are."""
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery_id: str | None = None
    """The id of a completion, which the token shows that it ends."""


@dataclass(frozen=True)
class Listing(Generic[Read]):
    """A list that comes in parts."""

    path: str
    page: type[models.Page[Read]]
    query: Mapping[str, str]

    def after(self, cursor: str | None) -> Call[models.Page[Read]]:
        """Get the page after a cursor, or the first one."""
        later = {name: value for name, value in self.query.items() if name != "page[before]"}  # it would win over `after`
        return Call("GET", self.path, self._read, self.query if cursor is None else {**later, "page[after]": cursor})

    def _read(self, answer: httpx.Response) -> models.Page[Read]:
        found = answer.json()
        return self.page.model_validate({"data": found["data"], **found["pagination"]})


def create(**options: Unpack[CreateOptions]) -> Call[models.CreatedToken]:
    """Create a token, or get the one that holds the `idempotency_key`."""
    body = wire.members(options, CreateOptions.__annotations__)
    return Call("POST", TOKENS, _created, body=body)


def _created(answer: httpx.Response) -> models.CreatedToken:
    members = {**answer.json(), "publicAccessToken": answer.headers.get("x-trigger-jwt", "")}
    return models.CreatedToken.model_validate(members)


def get(token: TokenOrId) -> Call[models.Token]:
    """Retrieve a token. A large output is a path for `packet`."""
    return Call("GET", _path(token), _as(models.Token))


def packet(path: str) -> Call[str]:
    """Get a link to a large output."""
    return Call("GET", f"/api/v1/packets/{quote(path, safe='')}", lambda answer: str(answer.json()["presignedUrl"]))


def list_tokens(filters: ListFilters) -> Listing[models.ListedToken]:
    """List tokens. Raises TypeError for an unknown filter, ValueError for one that would be ignored."""
    return Listing(TOKENS, models.Page[models.ListedToken], _query(filters, ListFilters))


def extend(token: TokenOrId, timeout: wire.Timeout | None) -> Call[models.MovedDeadline]:
    """Give a waiting token another timeout, or none."""
    body = {"timeout": None if timeout is None else wire.timeout(timeout)}
    return Call("PATCH", _path(token), _as(models.MovedDeadline), body=body)


def hand_over(token: TokenOrId, add: Sequence[str | ApproverOptions], remove: Sequence[str]) -> Call[models.HandedOver]:
    """Change who may answer a waiting token's page."""
    lists = {"add": list(add), "remove": list(remove)}
    return Call(
        "PATCH", _path(token), _as(models.HandedOver), body={"approvers": {name: it for name, it in lists.items() if it}}
    )


def delete(token: TokenOrId, *, force: bool) -> Call[models.RecordedDelivery | None]:
    """Delete a token."""
    return Call("DELETE", _path(token), _kept_delivery, {"force": "true"} if force else {})


def _kept_delivery(answer: httpx.Response) -> models.RecordedDelivery | None:
    _nothing(answer)
    kept = answer.json().get("keptDelivery")
    return None if kept is None else models.RecordedDelivery.model_validate(kept)


def complete(token: TokenOrId, data: Any) -> Call[models.Completion]:
    """Complete a token with `data`, or with no output if it is ABSENT."""
    return Call("POST", f"{_path(token)}/complete", _completion, body=_data(data))


def fail(token: TokenOrId, message: str, name: str | None, code: str | None) -> Call[models.Completion]:
    """Fail a token with an error."""
    return Call("POST", f"{_path(token)}/complete", _completion, body=_error(message, name, code))


def _completion(answer: httpx.Response) -> models.Completion:
    _nothing(answer)
    return models.Completion.model_validate(answer.json())


def deliver(url: str, body: Any, headers: Mapping[str, str] | None = None) -> Call[None]:
    """Post to a callback URL as a webhook provider or an approver does."""
    return Call("POST", url, lambda _: None, body=body, headers=headers or {})


def complete_key(key: str, data: Any, ttl: wire.Duration | None) -> Call[models.KeyCompletion]:
    """Complete the token of a key, or keep the completion for it."""
    return _settle_key(key, ttl, _data(data))


def fail_key(
    key: str, message: str, name: str | None, code: str | None, ttl: wire.Duration | None
) -> Call[models.KeyCompletion]:
    """Fail the token of a key, or keep the failure for it."""
    return _settle_key(key, ttl, _error(message, name, code))


def create_public_token(
    token: TokenOrId | None, scopes: Sequence[str], expires: datetime | timedelta | int | str, *, by_named_key: bool = False
) -> Call[str]:
    """Create a public access token for one token, for `scopes`, or for both. A named key has an operation of its own for it."""
    scopes = [*scopes, *([] if token is None else [f"write:waitpoints:{id_of(token)}"])]
    if isinstance(expires, datetime):
        wire.instant(expires)  # refuses one without a time zone
    end = int(expires.timestamp()) if isinstance(expires, datetime) else wire.duration(expires)
    path = "/api/v1/auth/public-tokens" if by_named_key else "/api/v1/auth/jwt"
    asked = {"scopes": scopes} if by_named_key else {"claims": {"scopes": scopes}}
    return Call("POST", path, lambda answer: str(answer.json()["token"]), body={**asked, "expirationTime": end})


def public_token_claims() -> Call[models.PublicTokenClaims]:
    """Get the claims of the stack's public access tokens."""
    return Call("POST", "/api/v1/auth/jwt/claims", _as(models.PublicTokenClaims))


def put_endpoint(name: str, **options: Unpack[EndpointOptions]) -> Call[models.Endpoint]:
    """Make an endpoint, or change its settings."""
    body = wire.members(options, EndpointOptions.__annotations__)
    return Call("PUT", _endpoint(name), _as(models.Endpoint), body=body)


def get_endpoint(name: str) -> Call[models.EndpointWithDeliveries]:
    """Retrieve an endpoint, and what became of its deliveries."""
    return Call("GET", _endpoint(name), _as(models.EndpointWithDeliveries))


def list_endpoints(page_size: int | None, after: str | None) -> Listing[models.Endpoint]:
    """List endpoints, by name."""
    return Listing(ENDPOINTS, models.Page[models.Endpoint], _query({"page_size": page_size, "after": after}, ListFilters))


def change_endpoint(name: str, *, disabled: bool) -> Call[models.Endpoint]:
    """Disable an endpoint, or enable it."""
    return Call("PATCH", _endpoint(name), _as(models.Endpoint), body={"disabled": disabled})


def delete_endpoint(name: str) -> Call[None]:
    """Delete an endpoint."""
    return Call("DELETE", _endpoint(name), _nothing)


def test_endpoint(name: str, body: Any, headers: Mapping[str, str], query: str) -> Call[models.EndpointTrial]:
    """Say what would become of a delivery."""
    text = body.decode() if isinstance(body, bytes) else body
    delivery = {"body": text, "headers": dict(headers), "query": query}
    return Call("POST", f"{_endpoint(name)}/test", _as(models.EndpointTrial), body=delivery)


def list_deliveries(name: str, filters: DeliveryFilters) -> Listing[models.RecordedDelivery]:
    """List an endpoint's recorded deliveries. Raises as `list_tokens`."""
    return Listing(f"{_endpoint(name)}/deliveries", models.Page[models.RecordedDelivery], _query(filters, DeliveryFilters))


def get_delivery(name: str, delivery: DeliveryOrId) -> Call[models.RetrievedDelivery]:
    """Retrieve a recorded delivery, with what was sent."""
    return Call("GET", _delivery(name, delivery), _as(models.RetrievedDelivery))


def delete_delivery(name: str, delivery: DeliveryOrId) -> Call[None]:
    """Delete a recorded delivery."""
    return Call("DELETE", _delivery(name, delivery), _nothing)


def delete_deliveries(name: str) -> Call[models.DeletedDeliveries]:
    """Delete some of an endpoint's recorded deliveries, or the rest."""
    return Call("DELETE", f"{_endpoint(name)}/deliveries", _as(models.DeletedDeliveries))


def resend_delivery(
    name: str, delivery: DeliveryOrId, token: TokenOrId | None, idempotency_key: str | None
) -> Call[models.RecordedDelivery]:
    """Send a recorded delivery again."""
    given = {"tokenId": None if token is None else id_of(token), "idempotencyKey": idempotency_key}
    body = {member: value for member, value in given.items() if value is not None}
    return Call("POST", f"{_delivery(name, delivery)}/resend", _as(models.RecordedDelivery), body=body)


def create_key(name: str, scopes: Sequence[str], expires: wire.Duration | None) -> Call[models.CreatedKey]:
    """Make a named key."""
    if isinstance(scopes, str):
        raise TypeError('scopes is a list of texts, such as ["create", "read"]')
    ends = {} if expires is None else {"expiresIn": wire.duration(expires)}
    return Call("POST", KEYS, _as(models.CreatedKey), body={"name": name, "scopes": [*scopes], **ends})


def list_keys() -> Call[tuple[models.NamedKey, ...]]:
    """List the named keys, by name."""
    return Call("GET", KEYS, lambda answer: tuple(map(models.NamedKey.model_validate, answer.json()["data"])))


def revoke_key(name: str) -> Call[None]:
    """Revoke a named key."""
    return Call("DELETE", f"{KEYS}/{_segment(name, 'a key')}", _nothing)


def _as(model: type[Model]) -> Callable[[httpx.Response], Model]:
    return lambda answer: model.model_validate(answer.json())


def _nothing(answer: httpx.Response) -> None:
    if answer.json().get("success") is not True:
        raise ValueError("no success")


def _path(token: TokenOrId) -> str:
    return f"{TOKENS}/{_segment(id_of(token), 'a token')}"


def _endpoint(name: str) -> str:
    return f"{ENDPOINTS}/{_segment(name, 'an endpoint')}"


def _delivery(name: str, delivery: DeliveryOrId) -> str:
    return f"{_endpoint(name)}/deliveries/{_segment(id_of(delivery, 'a delivery'), 'a delivery')}"


def _segment(text: str, what: str) -> str:
    """Return a part of a path. Raises ValueError for one that would name another path."""
    if text in ("", ".", ".."):
        raise ValueError(f"'{text}' does not name {what}")
    return quote(text, safe="")


def _data(data: Any) -> dict[str, Any]:
    return {} if data is ABSENT else {"data": data}


def _error(message: str, name: str | None, code: str | None) -> dict[str, Any]:
    given = {"message": message, "name": name, "code": code}
    return {"error": {member: value for member, value in given.items() if value is not None}}


def _settle_key(key: str, ttl: wire.Duration | None, outcome: Mapping[str, Any]) -> Call[models.KeyCompletion]:
    body = {**wire.members({"idempotency_key": key, "idempotency_key_ttl": ttl}, CreateOptions.__annotations__), **outcome}
    return Call("POST", "/api/v1/waitpoints/complete", _as(models.KeyCompletion), body=body)


def _query(filters: Mapping[str, Any], known: type) -> dict[str, str]:
    """Return the query of a list whose filters are `known`. Raises as `list_tokens`."""
    wire.refuse_unknown(filters, known.__annotations__)
    query = {}
    for name, value in filters.items():
        parameter, written = _FILTERS[name]
        if value is None or (value is False and name != "failed"):
            continue
        query[parameter] = written(value)
        if not query[parameter]:
            raise ValueError(f"{name} is empty: leave it out to list all")
    return query


def _any_of(value: str | Sequence[str]) -> str:
    values = [value] if isinstance(value, str) else list(value)
    if with_comma := [it for it in values if "," in it]:
        raise ValueError(f"'{with_comma[0]}' has a comma, at which the API separates values")
    return ",".join(values) if all(values) else ""


_FILTERS: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "status": ("filter[status]", _any_of),
    "tags": ("filter[tags]", _any_of),
    "idempotency_key": ("filter[idempotencyKey]", str),
    "kind": ("filter[kind]", _any_of),
    "key": ("filter[key]", str),
    "delivery_id": ("filter[deliveryId]", str),
    "created_within": ("filter[createdAt][period]", wire.duration),
    "created_from": ("filter[createdAt][from]", wire.instant),
    "created_to": ("filter[createdAt][to]", wire.instant),
    "completed_within": ("filter[completedAt][period]", wire.duration),
    "completed_from": ("filter[completedAt][from]", wire.instant),
    "completed_to": ("filter[completedAt][to]", wire.instant),
    "failed": ("filter[outputIsError]", lambda failed: str(failed).lower()),
    "undelivered": ("filter[undelivered]", lambda _: "true"),
    "oldest_first": ("sort", lambda _: "createdAt"),
    "page_size": ("page[size]", str),
    "after": ("page[after]", str),
    "before": ("page[before]", str),
}
