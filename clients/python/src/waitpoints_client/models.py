"""What the API answers, as immutable values. Fields that a newer stack adds are ignored."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation
from pydantic.alias_generators import to_camel

from waitpoints_client.errors import TokenFailedError, TokenTimedOutError
from waitpoints_client.options import Status
from waitpoints_client.wire import read_duration, read_json

Item = TypeVar("Item")


class Answer(BaseModel):
    """A part of an answer of the API."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


class TokenError(Answer):
    """The error of a token that was failed or timed out."""

    message: str
    name: str = "WaitpointTimeoutError"
    """With `unwrap`, the state fails with this name."""
    code: str = ""


@dataclass(frozen=True)
class Ok:
    """A token was completed with this output."""

    output: Any
    """The parsed JSON, or None if the token was completed without an output."""
    ok: ClassVar[Literal[True]] = True

    def unwrap(self) -> Any:
        """Return the output."""
        return self.output


@dataclass(frozen=True)
class Failed:
    """A token was failed with this error, or timed out."""

    error: TokenError
    timed_out: bool = False
    ok: ClassVar[Literal[False]] = False

    def unwrap(self) -> Any:
        """Raise the error as a TokenFailedError, or as a TokenTimedOutError after a timeout."""
        error = TokenTimedOutError if self.timed_out else TokenFailedError
        raise error(self.error.message, self.error.name, self.error.code)


Result: TypeAlias = Ok | Failed
"""What became of a token."""


class Approver(Answer):
    """A person who may answer the page of a token."""

    id: str
    name: str | None = None
    email: str | None = None
    slack: str | None = None
    """A member id of Slack."""
    language: str | None = None
    """The language of the person's messages, such as "de"."""
    subject: str | None = None
    """Who they are at the issuer, on a page with a sign-in."""


class ApproverLink(Answer):
    """The link of an approver. Treat its `url` as a secret: its holder answers as this person.

    On a page with `signIn`, it is the token's `url`, which is no secret there.
    """

    approver: str
    """The person's id."""
    url: str = Field(repr=False)


class SignedIn(Answer):
    """Who has signed in, as evidence."""

    issuer: str
    subject: str
    """Names the person at the issuer for ever."""
    email: str | None = None
    at: datetime


class ApproverAnswer(Answer):
    """What an approver has answered."""

    approver: str
    """The person's id."""
    action: str
    fields: Mapping[str, Any] = Field(repr=False)
    """What was filled in, as parsed JSON."""
    at: datetime
    signed_in: SignedIn | None = None


class HandOver(Answer):
    """A change of who may answer the page of a token."""

    added: tuple[str, ...]
    """The ids of these people."""
    removed: tuple[str, ...]
    at: datetime
    key: str | None = None
    """The name of the named key that made it. None: the root key."""


class Escalation(Answer):
    """Who may answer, too, from `at` on."""

    at: datetime
    to: tuple[Approver, ...]
    asked_at: datetime | None = None
    """When they were asked. Until then they may not answer."""


class Reminders(Answer):
    """How often those who have not answered a page were asked again."""

    count: int
    last_at: datetime | None = None
    next_at: datetime | None = None
    """None if there is no further one before the token ends."""


class Notify(Answer):
    """Who is notified of a token's page."""

    email: Literal[True] | tuple[str, ...] | None = None
    """True: its approvers, each at their address, or without them only `requestedBy`. Else the addresses."""
    slack: str | None = None
    """The name or the id of a channel."""
    teams: str | None = None
    """The name of the secret that holds a workflow's URL."""
    outcome: bool = False
    """Whether these people, and who asked, also get the outcome."""


class Notice(Answer):
    """What was sent to one place."""

    channel: str
    """email, slack or teams."""
    to: str
    """An address, a channel or member id of Slack, or the name of the secret of Teams."""
    approver: str | None = None
    """The approver's id, if the place is a person's."""
    status: str
    """sent, or refused: the channel takes nothing for this place."""
    at: datetime
    """When something was last sent there, or refused."""
    reminders: int = 0
    """The number of the token's last reminder that was sent there."""
    outcome: bool = False
    """Whether the token's outcome was sent there."""
    reason: str | None = None
    """Why the channel refuses it, in its own word, such as "channel_not_found"."""


class CreatedToken(Answer):
    """The answer to `create`."""

    id: str
    url: str = Field(repr=False)
    """A POST to it completes the token, without a key. With a `page`, a person can open it. Treat it as a secret."""
    is_cached: bool
    """Whether an earlier call with the same `idempotency_key` created the token."""
    links: tuple[ApproverLink, ...] = ()
    """The link of each person who may answer its page. Empty without `approvers`."""
    public_access_token: str = Field(default="", repr=False)
    """A key that can complete this token only, for 24 hours."""


class Waiter(Answer):
    """What waits for a token."""

    id: str
    kind: str = "STEP_FUNCTIONS"
    """STEP_FUNCTIONS or DURABLE_FUNCTION."""
    status: str
    """WAITING, RESUMED, GONE (it can no longer be resumed) or UNDELIVERED (the token has ended, but it was not resumed)."""
    registered_at: datetime
    resumed_at: datetime | None = None
    lag_ms: int | None = None
    """The milliseconds from the token's end until it was resumed."""
    execution: str | None = None
    """The ARN of its execution, if it was registered with it."""


class CompletedBy(Answer):
    """How and from where a token was completed."""

    source: str
    """callback, complete, endpoint or timeout."""
    at: datetime
    ip: str | None = None
    user_agent: str | None = None
    content_type: str | None = None
    query: str | None = None
    delivery_id: str | None = None
    """The provider's own id of the delivery."""
    approver: str | None = None
    """The id of the approver whose answer decided."""
    slack_user: str | None = None
    """The id of the person who pressed a button in Slack, if the page names no approvers."""
    slack_name: str | None = None
    """Their name in Slack."""
    key: str | None = None
    """The name of the named key that completed it, or that made the public access token which did."""
    override: bool = False
    """Whether the API key completed it in place of its approvers."""
    signed_in: SignedIn | None = None
    """As whom the approver had signed in."""
    record: str | None = None
    """The id of the recorded delivery that settled it."""


class OtherDeliveries(Answer):
    """The deliveries to a token's URL that did not complete it."""

    count: int
    last_at: datetime
    last_ip: str | None = None
    last_delivery_id: str | None = None


class SignInDomains(Answer):
    """Whose people may answer a page that names nobody."""

    domains: tuple[str, ...]


class TokenPage(Answer):
    """The page of a token."""

    title: str
    sign_in: Literal[True] | SignInDomains | None = None
    """Not None if only who has signed in answers: True for its approvers, else anyone of these domains. Not in a list."""


class ListedToken(Answer):
    """A token as `list` has it: without its output."""

    id: str
    url: str = Field(repr=False)
    """A POST to it completes the token, without a key. With a `page`, a person can open it. Treat it as a secret. Empty if the
    client's key may not complete the token."""
    status: SkipValidation[Status]  # a later stack may have another
    tags: tuple[str, ...]
    created_at: datetime
    timeout_at: datetime | None = None
    completed_at: datetime | None = None
    idempotency_key: str | None = None
    idempotency_key_expires_at: datetime | None = None
    output_is_error: bool = False
    page: TokenPage | None = None
    """None without a page. `list` cuts its title at 100 characters, with "…"."""

    @property
    def ok(self) -> bool | None:
        """True if it was completed, False if it was failed or timed out, None while it waits."""
        return None if self.status == "WAITING" else not self.output_is_error


class Token(ListedToken):
    """A token with its output and its waiters."""

    output_text: str | None = Field(default=None, alias="output", repr=False)
    """The output, or the error, as JSON text: exactly as it came, where `output` rounds long decimals and
    takes a number beyond all floats, or a whole number of over 4,300 digits, for infinite."""
    output_type: str = Field(default="application/json", repr=False)
    waiters: tuple[Waiter, ...] = ()
    completed_by: CompletedBy | None = None
    other_deliveries: OtherDeliveries | None = None
    page_actions: tuple[str, ...] = ()
    """The ids of the actions of its page: a completion names one. Empty without a page."""
    approvers: tuple[Approver, ...] = ()
    """Who may answer its page. Empty if anyone may who has the `url`, or signs in."""
    needs: Mapping[str, int] = {}
    """How many approvers must choose each action, by its id."""
    answers: tuple[ApproverAnswer, ...] = ()
    """What they have answered, in this order. The last one decided, if one did."""
    hand_overs: tuple[HandOver, ...] = ()
    """The changes of who may answer."""
    links: tuple[ApproverLink, ...] = Field(default=(), repr=False)
    """The link of each person. Empty if the client's key may not complete the token."""
    requested_by: str | None = None
    escalation: Escalation | None = None
    reminders: Reminders | None = None
    """None if its page has no `remind`."""
    notify: Notify | None = None
    """Who is notified of its page. None if no one is."""
    notices: tuple[Notice, ...] = ()
    """What was sent to each of them so far."""
    metadata: Mapping[str, Any] | None = Field(default=None, repr=False)
    """The `metadata` of its `create`."""
    traceparent: str | None = Field(default=None, repr=False)
    """The `traceparent` of its `create`: the span that it belongs to."""
    created_by: str | None = None
    """The name of the named key that created it. None: the root key, or a state machine."""

    @property
    def output(self) -> Any:
        """The parsed JSON; None while it waits, if it was failed or timed out, and if it was completed without an output."""
        return read_json(self.output_text) if self.ok and self.output_text is not None else None

    @property
    def still_asked(self) -> tuple[Approver, ...]:
        """The approvers who have not answered, while it waits; also those whom it was escalated to."""
        if self.status != "WAITING":
            return ()
        later = self.escalation.to if self.escalation and self.escalation.asked_at else ()
        answered = {answer.approver for answer in self.answers}
        return tuple(person for person in (*self.approvers, *later) if person.id not in answered)

    @property
    def error(self) -> TokenError | None:
        """The error, if it was failed or timed out."""
        return TokenError.model_validate_json(self.output_text or "{}") if self.ok is False else None

    @property
    def result(self) -> Result | None:
        """What became of it, or None while it waits."""
        if self.ok is None:
            return None
        return Failed(self.error, self.status == "TIMED_OUT") if self.error else Ok(self.output)


class MovedDeadline(Answer):
    """The answer to `extend`."""

    id: str
    timeout_at: datetime | None = None
    """When the token times out now. None: it has no timeout any more."""


class HandedOver(Answer):
    """The answer to `hand_over`."""

    id: str
    links: tuple[ApproverLink, ...] = ()
    """The link of each person who was added."""


class Completion(Answer):
    """The answer to a completion."""

    settled: bool | None = None
    """Whether it settled the token. False: the token had ended, perhaps by an earlier attempt of the same call. None: the
    stack is of an older version."""


class KeyCompletion(Completion):
    """The answer to a completion by key."""

    id: str
    """The token that holds the key."""
    created: bool
    """Whether no token had the key, so that the completion is kept for the `create` that comes later. `settled` is False."""


class PublicTokenClaims(Answer):
    """The claims of every public access token of a stack."""

    sub: str
    pub: bool


def _duration(value: Any) -> Any:
    return read_duration(value) if isinstance(value, str) else value


def _verification(value: Any) -> Any:
    return None if value == "none" else value


class Verification(Answer):
    """The signature that deliveries must have. `secret` is the name of a secret."""

    scheme: str
    secret: str
    header: str | None = None
    separator: str | None = None
    prefix: str | None = None
    algorithm: str | None = None
    encoding: str | None = None
    secret_encoding: str | None = None
    timestamp: Mapping[str, str] | None = None
    signed: str | None = None


class Endpoint(Answer):
    """An endpoint: one URL for all deliveries of a provider's account."""

    name: str
    url: str = Field(repr=False)
    """The URL for the provider. Treat it as a secret."""
    key: str
    verify: Annotated[Verification | None, BeforeValidator(_verification)]
    """None if the URL alone may complete tokens."""
    complete_when: str | None = None
    output: str
    key_ttl: Annotated[timedelta, BeforeValidator(read_duration)] = Field(alias="keyTTL")
    """How long a delivery is kept that came before its token."""
    tag: str | None = None
    """What each key begins with, before the endpoint's name."""
    record_deliveries: Annotated[timedelta | None, BeforeValidator(_duration)] = None
    """How long each verified delivery is kept, to be read and sent again. None: deliveries are only counted."""
    disabled: bool = False
    """Whether deliveries get 503."""
    created_at: datetime
    updated_at: datetime


class Deliveries(Answer):
    """How many deliveries of one kind came, and the last one."""

    count: int
    last_at: datetime
    last_ip: str | None = None
    last_user_agent: str | None = None
    last_delivery_id: str | None = None
    last_key: str | None = None
    last_detail: str | None = None


class EndpointWithDeliveries(Endpoint):
    """An endpoint, and what became of its deliveries."""

    deliveries: Mapping[str, Deliveries]
    """By kind, as the API names it: completed, kept, repeated, late, notAwaited, notMatching, noKey, noOutput, refused. A
    kind that never came is absent."""


class RecordedDelivery(Answer):
    """A delivery that an endpoint recorded, without what was sent."""

    id: str
    endpoint: str
    kind: str
    """What became of it: completed, kept, repeated, late, notAwaited, notMatching, noKey, noOutput. Or pending: it is not
    processed yet."""
    created_at: datetime
    """When it was received, or sent again."""
    expires_at: datetime
    """When the record is deleted."""
    size: int
    """Of its body, in bytes."""
    key: str | None = None
    """The token's key that it named."""
    detail: str | None = None
    """Why it became so."""
    token_id: str | None = None
    """The token that it completed, made or found."""
    delivery_id: str | None = None
    """The provider's id of its event."""
    repeat_of: str | None = None
    """The first recorded delivery of the same event."""
    resend_of: str | None = None
    """The recorded delivery that was sent again."""
    resent_by: str | None = None
    """The named key that sent it again. None: the root key did."""
    ip: str | None = None
    user_agent: str | None = None


class RetrievedDelivery(RecordedDelivery):
    """A recorded delivery with what was sent, without credentials. That is all None once the bucket has it no more."""

    headers: Mapping[str, str] | None = Field(default=None, repr=False)
    query: str | None = Field(default=None, repr=False)
    body: str | None = Field(default=None, repr=False)
    body_base64: str | None = Field(default=None, repr=False)
    """In place of `body`, if it is no text in UTF-8."""

    @property
    def content(self) -> bytes | None:
        """The body's bytes."""
        if self.body is not None:
            return self.body.encode()
        return None if self.body_base64 is None else b64decode(self.body_base64)


class DeletedDeliveries(Answer):
    """How many recorded deliveries a request deleted. `done`: no other is left."""

    deleted: int
    done: bool


class NamedKey(Answer):
    """A key of one program, without the key itself, which no answer but the first one has."""

    name: str
    scopes: tuple[str, ...]
    """What it may do: create, complete, read, notify, deliveries, each also for one tag as in create:team-a, and endpoints."""
    created_at: datetime
    last_used_at: datetime | None = None
    """Up to an hour before its last use. None if it was never used."""
    expires_at: datetime | None = None
    """None if it never expires."""


class CreatedKey(NamedKey):
    """A key of one program, just made."""

    key: str = Field(repr=False)
    """The key itself: keep it, since it cannot be read again."""


class TrialStep(Answer):
    """One step of a trial."""

    step: str
    result: str
    detail: str | None = None


class EndpointTrial(Answer):
    """What would become of a delivery. Every step is shown, also those after the one at which it would end."""

    outcome: str
    """As which kind the delivery would be counted; "handshake" if it would only be answered."""
    steps: tuple[TrialStep, ...]
    key: str | None = None
    token: str | None = None
    """The id of the token that holds the key now."""
    output_text: str | None = Field(default=None, alias="output", repr=False)
    """What the run would get, as JSON text. None if it is over 256 KiB."""

    @property
    def output(self) -> Any:
        """What the run would get, as parsed JSON."""
        return None if self.output_text is None else read_json(self.output_text)


class Page(Answer, Generic[Item]):
    """One part of a list. `next` and `previous` are cursors, and None where the list ends."""

    items: tuple[Item, ...] = Field(alias="data")
    next: str | None = None
    previous: str | None = None
