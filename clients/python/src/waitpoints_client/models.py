"""What the API answers, as immutable values. Those that are more than their members are here, the others in `answer_types`."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, SkipValidation

from waitpoints_client.answer import Answer
from waitpoints_client.answer_types import *
from waitpoints_client.errors import TokenFailedError, TokenTimedOutError
from waitpoints_client.options import Status
from waitpoints_client.wire import read_duration, read_json

Item = TypeVar("Item")


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


class Token(TokenMembers, ListedToken):
    """A token with its output and its waiters."""

    output_text: str | None = Field(default=None, alias="output", repr=False)
    """The output, or the error, as JSON text: exactly as it came, where `output` rounds long decimals and
    takes a number beyond all floats, or a whole number of over 4,300 digits, for infinite."""
    output_type: str = Field(default="application/json", repr=False)

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


def _duration(value: Any) -> Any:
    return read_duration(value) if isinstance(value, str) else value


def _verification(value: Any) -> Any:
    return None if value == "none" else value


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


class EndpointWithDeliveries(Endpoint):
    """An endpoint, and what became of its deliveries."""

    deliveries: Mapping[str, Deliveries]
    """By kind, as the API names it: completed, kept, repeated, late, notAwaited, notMatching, noKey, noOutput, refused. A
    kind that never came is absent."""


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


class CreatedKey(NamedKey):
    """A key of one program, just made."""

    key: str = Field(repr=False)
    """The key itself: keep it, since it cannot be read again."""


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
