"""The waitpoint token and its parts, as immutable values. All times are epoch milliseconds, UTC."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from waitpoints import ids, json_text
from waitpoints.errors import WrittenLater
from waitpoints.json_text import SHOWN, Stored

if TYPE_CHECKING:
    from waitpoints.notices import NoticeRecord
    from waitpoints.sign_in import SignedIn

VERSION = 5  # the version of this code, whose tokens it may settle: 100 * major + minor
SINCE = dict.fromkeys(("showAnswers", "language", "sameFields", "signIn", "maxAge", "needsFields"), 4)  # of a page
SINCE |= {"outcome": 4, "signing": 4, "handOvers": 4, "facts": 5, "numberFormat": 5, "timeZone": 5}
"""The first version that knows what a token uses, if not every version does. It is the token's `sinceVersion`."""
MAX_WAITERS = 100  # of one token
MAX_TAG_LENGTH = 128  # characters
MAX_EXPRESSION = 256  # characters
MAX_LISTED_TITLE = 100  # characters of a page's title
NEAR = 900_000  # milliseconds: a message is delayed by at most 15 minutes
FAILED_ERROR, FAILED_CODE = "WaitpointFailedError", "WAITPOINT_FAILED"
COMPLETER_TEXT = 256  # characters
NOT_LISTED = "Not in a list, and not in Trigger.dev."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(instant: int) -> str:
    """Format epoch milliseconds as the API does: ISO 8601 in UTC with milliseconds and `Z`."""
    return (_EPOCH + timedelta(milliseconds=instant)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Status(StrEnum):
    """The API's statuses. A token leaves WAITING exactly once."""

    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True)
class Output:
    """A token's output: a JSON text, inline or in the bucket.

    `stored_at` is the object key if the output is in the bucket. `json` is None if the output is absent (`complete`
    without `data`) or has not been loaded from the bucket.
    """

    json: str | None = None
    stored_at: str | None = None

    @property
    def is_loaded(self) -> bool:
        return self.stored_at is None or self.json is not None


class Source(StrEnum):
    """What settled a token."""

    CALLBACK = "callback"
    COMPLETE = "complete"
    ENDPOINT = "endpoint"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedBy(Stored):
    """Where a delivery or a completion came from, as far as known. Texts are cut to COMPLETER_TEXT characters."""

    source: Annotated[Source, SHOWN]
    ip: Annotated[str | None, "The address that the request came from."] = None
    user_agent: Annotated[str | None, "The request's `User-Agent`."] = None
    content_type: Annotated[str | None, "The request's `Content-Type`."] = None
    query: Annotated[str | None, "The request's query string."] = None
    delivery_id: Annotated[
        str | None, "The provider's own id of the delivery: `webhook-id`, `X-GitHub-Delivery` and the like."
    ] = None
    approver: Annotated[str | None, "The id of the approver whose answer decided."] = None
    slack_user: Annotated[str | None, "The id of whoever pressed a button in Slack, if the page names no approvers."] = None
    slack_name: Annotated[str | None, "Their name in Slack."] = None
    key: Annotated[
        str | None,
        "The name of the named key that completed it, or made the public access token which did, or of who had signed in.",
    ] = None
    record: Annotated[str | None, "The id of the recorded delivery that settled it."] = None


def cut(text: str | None) -> str | None:
    """Cut a text to COMPLETER_TEXT characters. None if it is empty. A lone surrogate becomes "?"."""
    return text[:COMPLETER_TEXT].encode("utf-8", "replace").decode() if text else None


@dataclass(frozen=True, slots=True)
class TokenError:
    """The error that a token failed with."""

    message: str
    name: str = FAILED_ERROR
    code: str = FAILED_CODE

    def members(self) -> dict[str, str]:
        """Return it as items, results, events and answers have it."""
        return {"name": self.name, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Completed:
    """The outcome of a token that was completed at the time `at`."""

    at: int
    output: Output = Output()
    completed_by: CompletedBy | None = None
    status: ClassVar = Status.COMPLETED


@dataclass(frozen=True, slots=True)
class Failed:
    """The outcome of a token that was completed with an error at the time `at`."""

    at: int
    error: TokenError
    completed_by: CompletedBy | None = None
    status: ClassVar = Status.COMPLETED


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The outcome of a token that was not completed before its timeout `at`."""

    at: int
    status: ClassVar = Status.TIMED_OUT


Outcome = Completed | Failed | TimedOut
"""How a token ended."""


@dataclass(frozen=True, slots=True)
class Verification(Stored):
    """How a token's deliveries are verified. `secret` is the name of the secret, not its value.

    `header`, in lower case, is for the scheme `token`. `signing` is for the scheme `hmac`: the JSON text of the other members.
    """

    scheme: str
    secret: str
    header: str | None = None
    signing: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return the members as the request has them."""
        signing: dict[str, Any] = json_text.parse(self.signing or "{}")
        return replace(self, signing=None).members() | signing


class DocumentKind(StrEnum):
    """What a document of a token is. METADATA goes beside one of the others."""

    SCHEMA = "schema"
    PAGE = "page"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON text that is written with a token and never changes: its payloadSchema, its page, or its metadata.

    `notify`, the JSON text of a page's `notify`, says who is notified. `title` is the page's, as lists may show it.
    `since_version`: as of its token.
    """

    kind: DocumentKind
    text: str
    notify: str | None = None
    title: str | None = None
    since_version: int | None = None


class Rule(StrEnum):
    """What a delivery must satisfy to settle a token, by its name in the token's item."""

    VERIFY = "verify"
    COMPLETE_WHEN = "completeWhen"
    SCHEMA = "payloadSchema"
    PAGE = "page"
    APPROVERS = "approvers"
    SIGN_IN = "signIn"


NOTHING_CHECKED: frozenset[Rule] = frozenset()
ALL_CHECKED = frozenset(Rule) - {Rule.SIGN_IN}  # nothing that is sent in another way has signed in
OVERRIDDEN = frozenset(Rule)  # only for the root key
DOCUMENTS = frozenset({Rule.SCHEMA, Rule.PAGE})
ALL_BUT_DOCUMENT = ALL_CHECKED - DOCUMENTS
ALL_BUT_APPROVERS = ALL_CHECKED - {Rule.APPROVERS}
RESENT = frozenset({Rule.COMPLETE_WHEN, Rule.SCHEMA})  # a resend is not signed, and no answer of a person


@dataclass(frozen=True, slots=True)
class Rules:
    """What a delivery must satisfy to settle a token. A token without any has no Rules.

    `has_schema`, `has_page`: the token has a document of this kind, which is in an item of its own. `has_approvers`: its page
    says who may answer. `has_sign_in`: they sign in.
    """

    verify: Verification | None = None
    complete_when: str | None = None
    has_schema: bool = False
    has_page: bool = False
    has_approvers: bool = False
    has_sign_in: bool = False

    @property
    def since_version(self) -> int | None:
        """The first version that knows them, or None for every version."""
        return SINCE["signing"] if self.verify and self.verify.signing is not None else None

    def are_met(self, checked: frozenset[Rule]) -> bool:
        """Whether a completion for which these rules are `checked` may settle the token, as the store's condition also says."""
        return checked.issuperset(self.members())

    def members(self) -> dict[str, Any]:
        """Return the rules that there are as they are stored, by their names."""
        named = {
            Rule.VERIFY: self.verify and self.verify.members(),
            Rule.COMPLETE_WHEN: self.complete_when,
            Rule.SCHEMA: self.has_schema or None,
            Rule.PAGE: self.has_page or None,
            Rule.APPROVERS: self.has_approvers or None,
            Rule.SIGN_IN: self.has_sign_in or None,
        }
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Read what `members` wrote, and pass over what else there is."""
        verify = members.get(Rule.VERIFY)
        return cls(
            verify=Verification.of(verify) if verify else None,
            complete_when=members.get(Rule.COMPLETE_WHEN),
            has_schema=members.get(Rule.SCHEMA, False),
            has_page=members.get(Rule.PAGE, False),
            has_approvers=members.get(Rule.APPROVERS, False),
            has_sign_in=members.get(Rule.SIGN_IN, False),
        )


@dataclass(frozen=True, slots=True)
class Answer(Stored):
    """What one approver chose on a token's page. `fields` is a JSON text, of an object. `signed_in`: who, as evidence."""

    approver: Annotated[str, "The approver's id."]
    action: Annotated[str, "The id of the action that was chosen."]
    fields: Annotated[str, json_text.parse, "What was filled in."]
    at: Annotated[int, iso]
    signed_in: "SignedIn | None" = None

    def is_of(self, approver: str, signed_in: "SignedIn | None") -> bool:
        """Whether this approver gave it, or who has signed in: as them by another name of the page, or by another account."""
        is_same = self.signed_in is not None and signed_in is not None and self.signed_in.is_same_person(signed_in)
        return self.approver == approver or is_same


def _ids(people: Iterable[Mapping[str, str]]) -> list[str]:
    return [person["id"] for person in people]


@dataclass(frozen=True, slots=True)
class HandOver(Stored):
    """A change of who may answer a token's page. Whoever was removed never comes back under the same id.

    `added` are people as a page has them, of whom answers show the ids.
    """

    added: Annotated[tuple[Mapping[str, str], ...], _ids, "The ids of these people."]
    removed: Annotated[tuple[str, ...], list]
    at: Annotated[int, iso]
    key: Annotated[str | None, "The name of the named key that made it, or who had signed in. Absent for the root key."] = None


@dataclass(frozen=True, slots=True)
class OtherDeliveries(Stored):
    """The deliveries that did not settle their token: late, repeated, not matching or rejected."""

    count: Annotated[int, SHOWN]
    last_at: Annotated[int, iso]
    last_ip: Annotated[str | None, "The address that the last one came from."] = None
    last_delivery_id: Annotated[str | None, "The provider's own id of the last one."] = None


class WaiterKind(StrEnum):
    """What waits: a state of a Step Functions execution, or a Lambda durable function."""

    STEP_FUNCTIONS = "STEP_FUNCTIONS"
    DURABLE_FUNCTION = "DURABLE_FUNCTION"


@dataclass(frozen=True, slots=True)
class Waiter(Stored):
    """One paused execution.

    `handle` is the secret that resumes it: Step Functions' task token, or Lambda's callback id. With `unwrap`, its result is
    the bare output instead of `{"ok": …}`. With `context`, `{"ok": …}` also says who completed the token.
    """

    handle: str
    registered_at: Annotated[int, iso]
    unwrap: bool = False
    context: bool = False
    execution: Annotated[str | None, "The execution's ARN, if it was registered with it."] = None
    kind: WaiterKind = WaiterKind.STEP_FUNCTIONS

    @property
    def key(self) -> str:
        """Identifies this waiter on its token without revealing its handle."""
        return hashlib.sha256(self.handle.encode()).hexdigest()[:16]


class ReplyKind(StrEnum):
    """AWS's reply to resuming a waiter: Step Functions', or Lambda's for a durable function.

    GONE: the handle is no longer valid. The execution was stopped, its wait timed out, its state was retried with a new task
    token, or an earlier call resumed it but lost the response.
    """

    RESUMED = "RESUMED"
    GONE = "GONE"


@dataclass(frozen=True, slots=True)
class Reply:
    """AWS's recorded reply for one waiter, and its time."""

    kind: ReplyKind
    at: int


class KeyKind(StrEnum):
    """Who chose a key: the user, or the SDK for the retries of one request."""

    IDEMPOTENCY = "idempotency"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key that at most one live token holds, until `expires_at` (epoch milliseconds; None: no expiry).

    `request` is the same for all retries of one request, so a retry of the create gets the same response as the create.
    """

    text: str
    expires_at: int | None = None
    request: str | None = None
    kind: KeyKind = KeyKind.IDEMPOTENCY


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The token that already holds a key, since when and until when, and whether the same request created it.

    `is_early`: a completion by key made the token, before any create asked for it.
    """

    token_id: str
    since: int
    same_request: bool
    expires_at: int | None = None
    is_early: bool = False

    def is_expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Attachment:
    """An item without expiry that is useless without its token: a key, a document or a count."""

    id: str
    item: str
    token_id: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a caller asks for when it creates a token. `waiter` is registered in the same write.

    `document` is a payloadSchema or a page, which `rules` need not say, or None. `metadata` is an object's JSON.
    `first_ask` is when a page is asked again, or escalated, for the first time. `created_by` is the name of a named key.
    """

    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    key: IdempotencyKey | None = None
    waiter: Waiter | None = None
    rules: Rules = Rules()
    document: Document | None = None
    metadata: str | None = None
    traceparent: str | None = None
    first_ask: int | None = None
    created_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Stored):
    """A token. With `early_until`, a completion by key made it, and it is removed then unless a create claims it.

    Its timer fires next at `due_at`. None: never.
    A token that was read with the items beside it has its `page`, `metadata` and `notify`, as JSON texts, and in `notices` each
    target's last message. `has_metadata` and `has_notify` say whether there is something to read.
    Only `since_version` and later versions may settle it (None: every version). `is_later`: this version may not.
    `is_due`: its timeout has come and is its `outcome`, but is not stored yet.
    `answers` and `hand_overs` are in their order. `reminded_count` reminders were sent, the last one at `reminded_at`.
    """

    id: Annotated[str, ids.form()]
    idempotency_key: Annotated[str | None, "The key that the token was created with."] = None
    idempotency_key_expires_at: Annotated[int | None, iso, "When the token stops holding its key."] = None
    timeout_at: Annotated[int | None, iso, "When the token times out."] = None
    due_at: int | None = None
    tags: Annotated[tuple[str, ...], list] = ()
    created_at: Annotated[int, iso]
    outcome: Outcome | None = None
    waiters: Mapping[str, Waiter] = field(default_factory=dict)
    replies: Mapping[str, Reply] = field(default_factory=dict)
    rules: Rules | None = None
    other_deliveries: Annotated[
        OtherDeliveries | None, OtherDeliveries.shown_members, "Present once there were some.", NOT_LISTED
    ] = None
    early_until: int | None = None
    page: str | None = None
    metadata: str | None = None
    has_metadata: bool = False
    traceparent: Annotated[str | None, "The `traceparent` of its create, if it had one.", NOT_LISTED] = None
    created_by: Annotated[str | None, "The name of the named key that created it, or of who had signed in.", NOT_LISTED] = None
    answers: tuple[Answer, ...] = ()
    hand_overs: tuple[HandOver, ...] = ()
    escalated_at: int | None = None
    reminded_count: int = 0
    reminded_at: int | None = None
    has_notify: bool = False
    notify: str | None = None
    notices: "Mapping[str, NoticeRecord]" = field(default_factory=dict)
    page_title: str | None = None
    since_version: int | None = None
    is_later: bool = False
    is_due: bool = False

    @property
    def status(self) -> Status:
        return self.outcome.status if self.outcome else Status.WAITING

    @property
    def asks_people(self) -> bool:
        """Whether only its approvers answer its page, or only who signs in."""
        return self.rules is not None and (self.rules.has_approvers or self.rules.has_sign_in)

    @property
    def listed_page(self) -> dict[str, str] | None:
        """Return what lists and events show of its page, from the token's item alone: the beginning of the title."""
        return {"title": self.page_title} if self.page_title else None

    def outcome_at(self, now: int) -> Outcome | None:
        """Return the outcome that every reader sees at `now`, or None while the token waits.

        A token counts as timed out from the first millisecond of its timeout, even before that is stored.
        """
        if self.outcome is None and self.timeout_at is not None and self.timeout_at <= now:
            return TimedOut(self.timeout_at)
        return self.outcome

    def check_version(self) -> None:
        """Raises WrittenLater if the token waits and a later version must settle it."""
        if self.is_later and self.outcome is None:
            raise WrittenLater

    def is_due_at(self, now: int) -> bool:
        """Whether its timer should have fired by `now`, or it should have timed out."""
        return self.outcome_at(now) is not None or (self.due_at is not None and self.due_at <= now)

    def is_due_soon(self) -> bool:
        """Whether the stream has to send the new token's message, because the run of the timers may come too late."""
        return self.due_at is not None and self.due_at - self.created_at <= NEAR

    def answer_of(self, approver: str, signed_in: "SignedIn | None" = None) -> Answer | None:
        return next((answer for answer in self.answers if answer.is_of(approver, signed_in)), None)

    def has_removed(self, approver: str) -> bool:
        """Whether a hand-over took the page from this person."""
        return any(approver in one.removed for one in self.hand_overs)

    def unresumed(self) -> list[Waiter]:
        """Return the waiters without a recorded reply."""
        return [waiter for key, waiter in self.waiters.items() if key not in self.replies]
