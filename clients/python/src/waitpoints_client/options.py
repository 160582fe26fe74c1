"""What callers give, by name. Each option is declared here once, for the sync and the async client.

An option that is None is left out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from typing_extensions import NotRequired, Required, TypedDict

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


class SigningTime(TypedDict):
    """Where the signing time is, and how far it may be off."""

    header: NotRequired[str]
    """By default the header of the signature."""
    prefix: NotRequired[str]
    unit: NotRequired[Literal["s", "ms", "iso"]]
    tolerance: NotRequired[str]
    """A duration of at most "1h"; by default "5m"."""


class Verify(TypedDict):
    """The signature that deliveries must have. `docs/webhooks.md` lists the schemes."""

    scheme: str
    """The provider's way to sign, such as "github"."""
    secret: str
    """The NAME of the secret `<stack name>/NAME` in Secrets Manager."""
    header: NotRequired[str]
    """For the scheme "token": the header that repeats the secret. For "hmac": the header of the signature."""
    separator: NotRequired[Literal[",", ";", " ", "|", "&"]]
    """For "hmac", as all that follow: what separates the items of the header."""
    prefix: NotRequired[str]
    """What an item that is a signature begins with, such as "v1="."""
    algorithm: NotRequired[Literal["sha256", "sha1", "sha384", "sha512"]]
    encoding: NotRequired[Literal["hex", "base64"]]
    secretEncoding: NotRequired[Literal["text", "hex", "base64", "whsec"]]
    timestamp: NotRequired[SigningTime]
    signed: NotRequired[str]
    """The signed text, such as "{timestamp}.{body}". "{body}" by default."""


Language: TypeAlias = Literal["en", "de", "fr", "es", "ja", "zh"]

PageText: TypeAlias = str | Mapping[Language, str]
"""A text of a page, or with `language` one for each of its languages."""


class Link(TypedDict):
    """A link on a page."""

    url: str
    label: NotRequired[PageText]
    """By default the URL."""


class Action(TypedDict):
    """A button of a page."""

    id: str
    """What the run gets as `action`."""
    label: PageText
    style: NotRequired[Literal["primary", "danger"]]
    needs: NotRequired[int]
    """How many approvers must choose it: one by default."""
    needsFields: NotRequired[bool]
    """False: a person may choose it without the required fields."""


class ApproverOptions(TypedDict):
    """A person who may answer a page."""

    id: str
    name: NotRequired[str]
    email: NotRequired[str]
    slack: NotRequired[str]
    """A member id of Slack, such as "U024BE7LH"."""
    language: NotRequired[Language]
    """The language of the person's messages: English by default."""
    subject: NotRequired[str]
    """Who they are at the issuer, on a page with `signIn`: by default whose address `email` is."""


class EscalateOptions(TypedDict):
    """Who may answer a page, too, after a time."""

    after: str
    """A duration from the create, such as "1d"."""
    to: Sequence[str | ApproverOptions]


class DomainsOptions(TypedDict):
    """Whose people may answer a page without approvers."""

    domains: Sequence[str]


class FormChoice(TypedDict):
    """One of the choices of a field."""

    const: str | float
    title: NotRequired[PageText]
    """By default the value."""


class FormChoices(TypedDict, total=False):
    """What a field with several choices offers: either `enum` or `oneOf`."""

    type: Literal["string", "number", "integer"]
    enum: Sequence[str | float]
    oneOf: Sequence[FormChoice]


class FormField(TypedDict, total=False):
    """A field of a form. `docs/pages.md` says which keywords go together."""

    type: Literal["string", "number", "integer", "boolean", "array"]
    title: PageText
    """By default the field's name."""
    description: PageText
    default: Any
    format: Literal["textarea", "date", "email"]
    minLength: int
    maxLength: int
    pattern: str
    minimum: float
    maximum: float
    exclusiveMinimum: float
    exclusiveMaximum: float
    multipleOf: float
    const: Literal[True]
    """Of a boolean: the box must be ticked."""
    enum: Sequence[str | float]
    """One choice of these."""
    oneOf: Sequence[FormChoice]
    """One choice of these, each with a title."""
    items: FormChoices
    """Several choices of these."""
    minItems: int
    maxItems: int
    uniqueItems: bool


_WithSchema = TypedDict("_WithSchema", {"$schema": NotRequired[str]})  # no name for an attribute of a class


class Form(_WithSchema):
    """A JSON Schema of an object, which is drawn as a form."""

    type: NotRequired[Literal["object"]]
    properties: Mapping[str, FormField]
    required: NotRequired[Sequence[str]]
    """The names of the fields that a person must fill in."""
    additionalProperties: NotRequired[bool]
    title: NotRequired[PageText]
    """Not shown, nor is the description."""
    description: NotRequired[PageText]


class PageOptions(TypedDict):
    """The page that a person sees who opens the token's URL. `docs/pages.md` has it all."""

    title: PageText
    """The question."""
    text: NotRequired[PageText]
    links: NotRequired[Sequence[Link]]
    actions: NotRequired[Sequence[Action]]
    """The buttons. By default there is one, with the id "submit"."""
    fields: NotRequired[Form]
    """What the person fills in."""
    confirm: NotRequired[bool]
    """Whether a person is asked a second time."""
    approvers: NotRequired[Sequence[str | ApproverOptions]]
    """Who may answer, each by a link of their own. A text is an id, and an e-mail address too if it is one."""
    requestedBy: NotRequired[str]
    """Who asks for the decision, and is left out of those who may answer, unless `selfApproval` is true."""
    selfApproval: NotRequired[bool]
    escalate: NotRequired[EscalateOptions]
    showAnswers: NotRequired[bool]
    """Whether approvers see what the others have entered: true by default."""
    sameFields: NotRequired[Literal[True] | Sequence[str]]
    """The names of fields into which all who choose the same action must enter the same. True: all fields."""
    signIn: NotRequired[Literal[True] | DomainsOptions]
    """True: each approver signs in. Without approvers, anyone of these domains answers. Needs the parameter OidcIssuer."""
    maxAge: NotRequired[str]
    """How old a sign-in may be, such as "5m"."""
    remind: NotRequired[str | Sequence[str]]
    """When those who have not answered are asked again: up to five durations from the create, such as "4h", or "every 1d"."""
    language: NotRequired[Language | Sequence[Language]]
    """The language of the page's texts, or several of which the reader gets their own."""


class NotifyOptions(TypedDict, total=False):
    """Who is notified of a page, at least one of them. `docs/notices.md` has it all."""

    email: Literal[True] | Sequence[str]
    """True: its approvers, each at their address. Without `approvers`: up to 20 addresses, or with `signIn` and `outcome` True:
    only `requestedBy` gets a mail."""
    slack: str
    """A channel's name, such as "#deploys", or its id. Approvers with a Slack id also get a direct message."""
    teams: str
    """The NAME of the secret `<stack name>/NAME` in Secrets Manager, which holds a workflow's URL."""
    outcome: bool
    """Also send the outcome to each of these people, and to `requestedBy` if it is an address or a Slack id."""


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
