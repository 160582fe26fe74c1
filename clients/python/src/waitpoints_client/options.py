"""What callers give, by name, as Python writes it. `request_types` has what a page, a notice and a signature consist of.

An option that is None is left out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from typing_extensions import Required, TypedDict

from waitpoints_client.request_types import NotifyOptions, PageOptions, Verify
from waitpoints_client.wire import Duration, Timeout

Status: TypeAlias = Literal["WAITING", "COMPLETED", "TIMED_OUT"]
"""A token's status. A token that was failed is COMPLETED, too."""

DeliveryKind: TypeAlias = Literal[
    "pending", "completed", "kept", "repeated", "late", "notAwaited", "notMatching", "noKey", "noOutput"
]
"""What became of a recorded delivery. One that is pending is stored, and not processed yet."""


class HasId(Protocol):
    """A token or a recorded delivery that the client returned."""

    @property
    def id(self) -> str:
        """Its id."""


TokenOrId: TypeAlias = str | HasId
"""A token that the client returned, or its id, with or without `waitpoint_`."""


DeliveryOrId: TypeAlias = str | HasId
"""A recorded delivery that the client returned, or its id."""


def id_of(it: HasId | str, what: str = "a token") -> str:
    """Return the id of a token, or of `what` else has one. Raises TypeError for anything else."""
    found = it if isinstance(it, str) else getattr(it, "id", None)
    if not isinstance(found, str):
        raise TypeError(f"Expected {what} or its id, not {type(it).__name__}")
    return found


class CreateOptions(TypedDict, total=False):
    """The options of `create`. In a union with None, a type checker would not name a wrong member of a page."""

    timeout: Timeout | None
    """When the token times out. Without it, the stack's DefaultTimeout holds; unless that is set, it never does."""
    tags: str | Sequence[str] | None
    """Up to 10 labels by which `list` filters. A tag with a comma cannot be filtered by."""
    idempotency_key: str | None
    """While a token holds this key, `create` with the same key returns that token unchanged, with `is_cached`."""
    idempotency_key_ttl: Duration | None
    """How long the token holds its key. By default as long as it exists."""
    verify: Verify
    """Only deliveries that the provider signed complete the token."""
    complete_when: str | None
    """A JMESPath expression: only a delivery that matches completes the token."""
    payload_schema: Mapping[str, Any] | None
    """A JSON Schema: an output that does not fit is refused."""
    page: PageOptions
    """What a person sees who opens the token's URL, instead of the three rules above."""
    notify: NotifyOptions
    """Who is notified of the page, and reminded: by mail, in Slack or in Teams."""
    metadata: Mapping[str, Any] | None
    """What you know the token by, such as the ids of your run or order: up to 4 KiB of JSON, which the token shows again."""
    traceparent: str | None
    """The W3C's name of the span that the token belongs to, which its result can give back."""
    task_token: str | None
    """The Step Functions task token of a state that waits for this token."""
    callback_id: str | None
    """The callback id of a Lambda durable function that waits for this token."""
    execution: str | None
    """With a waiter: the ARN of its execution, which the token then shows."""
    unwrap: bool | None
    """With a waiter: it gets the bare output, and fails if the token does."""
    context: bool | None
    """With a waiter: it also gets who completed the token. Not with `unwrap`."""


class ListFilters(TypedDict, total=False):
    """The filters and the order of `list`. A token is listed if it passes all of them. Instants are inclusive."""

    status: Status | Sequence[Status] | None
    """One status, or any of several."""
    tags: str | Sequence[str] | None
    """A tag, or any of several."""
    idempotency_key: str | None
    """The key that the token was created with, even if it has expired."""
    created_within: Duration | None
    """Created within this time before now."""
    created_from: datetime | str | None
    """Created at this instant or later."""
    created_to: datetime | str | None
    """Created at this instant or earlier."""
    completed_within: Duration | None
    """Completed or timed out within this time before now."""
    completed_from: datetime | str | None
    """Completed or timed out at this instant or later."""
    completed_to: datetime | str | None
    """Completed or timed out at this instant or earlier."""
    failed: bool | None
    """True: only those that timed out or were failed. False: all others, also those that wait."""
    undelivered: bool | None
    """True: only those with a waiter that could not be resumed. Goes with `created_…` and `oldest_first` alone."""
    oldest_first: bool | None
    """True: in the order of creation. By default the newest comes first."""
    page_size: int | None
    """How many tokens one request asks for, 1 to 100. By default 25."""
    after: str | None
    """Begin after this cursor: `next` of a page."""
    before: str | None
    """Begin with the page before this cursor: `previous` of a page. It wins over `after`."""


class EndpointOptions(TypedDict, total=False):
    """The settings of an endpoint. `docs/webhooks.md` explains them."""

    key: Required[str]
    """A JMESPath expression over `body`, `headers` and `query` of a delivery. The endpoint's name, a colon and its result
    are the key of the token that the delivery completes."""
    verify: Required[Verify | Literal["none"]]
    """"none" says on purpose that the URL alone may complete tokens."""
    complete_when: str | None
    """A JMESPath expression: any other delivery than one that matches is only counted."""
    output: str | None
    """A JMESPath expression that gives the token's output. By default the whole body."""
    key_ttl: Duration | None
    """How long a delivery is kept that came before its token. By default 24 hours; 0 keeps nothing."""
    tag: str | None
    """Each key then begins with the tag and a colon, and API keys that are limited to the tag may use it."""
    record_deliveries: Duration | None
    """How long to keep each delivery that passed `verify`, to read it and send it again. By default they are only counted."""


class DeliveryFilters(TypedDict, total=False):
    """The filters of an endpoint's recorded deliveries. One is listed if it passes all of them. Instants are inclusive."""

    kind: DeliveryKind | Sequence[DeliveryKind] | None
    """What became of it: one kind, or any of several."""
    key: str | None
    """The whole key that it named."""
    delivery_id: str | None
    """The provider's id of its event."""
    created_within: Duration | None
    """Received within this time before now."""
    created_from: datetime | str | None
    """Received at this instant or later."""
    created_to: datetime | str | None
    """Received at this instant or earlier."""
    page_size: int | None
    """How many deliveries one request asks for, 1 to 100. By default 25."""
    after: str | None
    """Begin after this cursor: `next` of a page."""
