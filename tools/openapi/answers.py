"""The HTTP API's responses as pydantic models, for `openapi.yaml` and for tests that validate responses.

This module is not deployed: `waitpoints.api.representation` and the handlers make the responses. Names follow
Trigger.dev's specification where it has one. An absent field is omitted, never null. A response has no other fields.
"""

import inspect
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel

from tools.openapi.shown import Instant, shows
from waitpoints import approvers, endpoint, errors, ids, notices, recorded_delivery, sign_in, token
from waitpoints.access import api_keys
from waitpoints.api.endpoints import trial

TokenId = Annotated[str, Field(**ids.form())]
Cursor = Annotated[str, Field(pattern="^[0-7][0-9a-hjkmnp-tv-z]{25}$")]
CallbackUrl = Annotated[
    str,
    Field(
        description="A POST to this URL completes the token with the request's body. It needs no API key.",
        pattern="^https?://.+/api/v1/waitpoints/tokens/waitpoint_[0-9a-z]{26}/callback/[0-9a-f]{64}$",
    ),
]

EndpointName = Annotated[str, Field(pattern="^[a-z0-9-]{1,64}$")]
EndpointUrl = Annotated[
    str,
    Field(
        description="The URL for the provider: a POST completes the token that was created with the delivery's key.",
        pattern="^https?://.+/api/v1/endpoints/[a-z0-9-]{1,64}/[0-9a-f]{88}$",
    ),
]


class AnswerModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _optional(description: str) -> Any:
    """Declare a field that may be absent."""
    return Field(default=None, description=description)


@shows(approvers.Approver)
class Approver(AnswerModel):
    """A person who may answer a token's page."""


class ApproverLink(AnswerModel):
    """The link of an approver: a personal one, or with `signIn` the token's `url`, which is no secret then."""

    approver: str = Field(description="The approver's id.")
    url: Annotated[
        str,
        Field(
            description="A browser shows the page here, and a POST of one of its actions is this person's answer.",
            pattern=r"^https?://.+/api/v1/waitpoints/tokens/waitpoint_[0-9a-z]{26}/callback/[0-9a-f]{64}(\?approver=[^&]+)?$",
        ),
    ]


@shows(sign_in.SignedIn)
class SignedIn(AnswerModel):
    """Who has signed in, as evidence."""

    email: str = _optional("")
    at: Instant


@shows(token.Answer)
class ApproverAnswer(AnswerModel):
    """What an approver has answered."""

    fields: dict[str, Any]
    signedIn: SignedIn = _optional("As whom they had signed in, if the page asks for that.")


@shows(token.HandOver)
class HandOver(AnswerModel):
    """A change of who may answer."""

    added: list[str]


class Escalation(AnswerModel):
    """Who may answer, too, once enough time has passed."""

    at: Instant = Field(description="From when on they may answer.")
    to: list[Approver]
    askedAt: Instant = _optional("When they were asked. Until then they may not answer.")


class CreateWaitpointTokenResponse(AnswerModel):
    id: TokenId
    isCached: bool = Field(description="Whether an earlier call with the same key created this token.")
    url: CallbackUrl
    links: list[ApproverLink] = _optional(
        "The link of each person who may answer the token's page, if it has `approvers`; also of those in `escalate.to`. "
        "They are of the token's own page, which an earlier call may have made."
    )


@shows(token.Waiter, id="", resumedAt="registeredAt")
class Waiter(AnswerModel):
    """An execution that waits for the token: of a state machine, or of a Lambda durable function."""

    id: str = Field(description="Identifies the waiter without revealing what resumes it.", pattern="^[0-9a-f]{16}$")
    kind: Literal["STEP_FUNCTIONS", "DURABLE_FUNCTION"] = Field(description="What waits.")
    status: Literal["WAITING", "UNDELIVERED", "RESUMED", "GONE"] = Field(
        description="GONE: what resumes it is no longer valid. UNDELIVERED: not resumed yet, though the token has settled."
    )
    resumedAt: Instant = _optional("When AWS accepted the outcome.")
    lagMs: int = _optional("Milliseconds from `completedAt` to `resumedAt`.")


@shows(token.CompletedBy, at="source", override="key")
class CompletedBy(AnswerModel):
    """How and from where the token was settled. Each text is cut at 256 characters."""

    at: Instant
    override: Literal[True] = _optional("The API key completed the token in place of its approvers.")
    signedIn: SignedIn = _optional("As whom the approver had signed in.")


@shows(token.OtherDeliveries)
class OtherDeliveries(AnswerModel):
    """Deliveries to the callback URL that did not settle the token: late, repeated, not matching or refused."""


class Reminders(AnswerModel):
    """How often those who have not answered a page were asked again, and when they are next."""

    count: int
    lastAt: Instant = _optional("Absent before the first one.")
    nextAt: Instant = _optional("Absent if there is no further one before the token ends.")


@shows(notices.Notify)
class Notify(AnswerModel):
    """Who is told of a token's page."""


@shows(notices.NoticeRecord, channel="")
class Notice(AnswerModel):
    """What was sent to one place."""

    channel: Literal["email", "slack", "teams"]
    to: str = Field(description="An address, a channel or member id of Slack, or the name of the secret of Teams.")
    approver: str = _optional("The approver's id, if the place is a person's.")
    status: Literal["sent", "refused"] = Field(description="Refused: the channel takes nothing for this place.")
    at: Instant = Field(description="When something was last sent there, or refused.")


ShownCallbackUrl = Annotated[
    str,
    Field(
        description="As in the answer to the create. Empty for a key that may not complete the token.",
        pattern="^(https?://.+/api/v1/waitpoints/tokens/waitpoint_[0-9a-z]{26}/callback/[0-9a-f]{64})?$",
    ),
]


class SignInDomains(AnswerModel):
    """Whose people may answer a page that names nobody."""

    domains: list[str]


class TokenPage(AnswerModel):
    """What a person is asked who opens the token's URL."""

    title: str
    signIn: Literal[True] | SignInDomains = _optional(
        "Only who has signed in answers: true for its approvers, else anyone of these domains. Not in a list."
    )


@shows(token.Token, url="id", completedAfter="timeoutAt", type="createdAt", waiters="otherDeliveries")
class WaitpointTokenObject(AnswerModel):
    url: ShownCallbackUrl
    status: Literal["WAITING", "COMPLETED", "TIMED_OUT"]
    completedAfter: Instant = _optional("The same as `timeoutAt`.")
    completedAt: Instant = _optional("When the token was completed or timed out.")
    output: str = _optional(
        "JSON text: the output or, if the token timed out or was failed, an object with `code` and `message`. "
        "If `outputType` is application/store, the path to request from `/api/v1/packets`. Not in a list."
    )
    outputType: Literal["application/json", "application/store"] = _optional("How to read `output`. Not in a list.")
    outputIsError: bool = _optional("Whether `output` is an error: the token timed out or was failed.")
    tags: list[str]
    type: Literal["MANUAL"] = _optional("Not in a list.")
    userProvidedIdempotencyKey: bool = _optional("Whether the token has an `idempotencyKey`. Not in a list.")
    completedBy: CompletedBy = _optional("How and from where the token was settled. Not in a list, and not in Trigger.dev.")
    otherDeliveries: OtherDeliveries = _optional("")
    waiters: list[Waiter] = _optional("The executions that wait for the token. Not in a list. Trigger.dev has no such field.")
    page: TokenPage = _optional(
        "If it has a page. A list cuts its title at 100 characters, with `…`. Trigger.dev has no such field."
    )
    pageActions: list[str] = _optional(
        "The ids of its page's actions, if it has a page. Not in a list, and not in Trigger.dev."
    )
    approvers: list[Approver] = _optional(
        "Who may answer its page, if it names them. This and the next six are not in a list, and not in Trigger.dev."
    )
    needs: dict[str, int] = _optional("How many people must choose each action.")
    answers: list[ApproverAnswer] = _optional("What they have answered, in this order. The last one decided, if one did.")
    handOvers: list[HandOver] = _optional("The changes of who may answer, in this order, if there were some.")
    links: list[ApproverLink] = _optional("The link of each person. Absent for a key that may not complete the token.")
    requestedBy: str = _optional("Who asked for the decision.")
    escalation: Escalation = _optional("Who may answer later.")
    notify: Notify = _optional("Who is told of its page, if its create said so. Not in a list, and not in Trigger.dev.")
    notices: list[Notice] = _optional("What was sent so far, in the order of `notify`. Present together with it.")
    metadata: dict[str, Any] = _optional("The `metadata` of its create. Not in a list, and not in Trigger.dev.")
    reminders: Reminders = _optional("If its page has `remind`. Not in a list, and not in Trigger.dev.")


class Pagination(AnswerModel):
    next: Cursor = _optional(
        "The `page[after]` of the next page: older tokens, or newer ones with `sort=createdAt`. Absent on the last page."
    )
    previous: Cursor = _optional("The `page[before]` of the previous page. Absent on the first page.")


class ListWaitpointTokensResult(AnswerModel):
    data: list[WaitpointTokenObject]
    pagination: Pagination


class MoveDeadlineResponse(AnswerModel):
    id: TokenId
    timeoutAt: Instant = _optional("For `timeout`: when the token times out now. Absent if it has no timeout any more.")
    links: list[ApproverLink] = _optional("For `approvers`: the link of each person in `add`.")


_SETTLED = (
    "Whether this request settled a token that waited. False if the token had ended, also by an earlier attempt of this "
    "request whose answer was lost."
)


class CompleteWaitpointTokenResponse(AnswerModel):
    success: Literal[True]
    settled: bool = _optional(f"{_SETTLED} Not in the answer to a delivery, and not in Trigger.dev.")


class CompleteWaitpointKeyResponse(AnswerModel):
    success: Literal[True]
    settled: bool = Field(description=_SETTLED)
    id: TokenId = Field(description="The token that holds the key.")
    created: bool = Field(
        description="Whether no token held the key, so that this completion made one that has ended: `settled` is then false."
    )


class PublicTokenClaims(AnswerModel):
    """The claims that the SDK signs into public access tokens."""

    sub: str
    pub: Literal[True]


class PublicToken(AnswerModel):
    token: str = Field(pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$")


class PacketLink(AnswerModel):
    presignedUrl: str


class EndpointVerification(AnswerModel):
    """The signature that deliveries must have. `secret` is the name of a secret, not its value."""

    scheme: str
    secret: str
    header: str = _optional("Only for the schemes `token` and `hmac`.")
    separator: str = _optional("Only for the scheme `hmac`, as all that follow.")
    prefix: str = _optional("What an item that is a signature begins with.")
    algorithm: str = _optional("`sha256` if absent.")
    encoding: str = _optional("`hex` if absent.")
    secretEncoding: str = _optional("`text` if absent.")
    timestamp: dict[str, str] = _optional("Where the signing time is, its unit, and how far it may be off.")
    signed: str = _optional("The signed text.")


@shows(endpoint.Endpoint, url="name", verify="key")
class EndpointObject(AnswerModel):
    """An endpoint: one URL for all deliveries of a provider's account."""

    url: EndpointUrl
    verify: EndpointVerification | Literal["none"]


@shows(endpoint.LastDelivery, count="")
class EndpointDeliveriesOfAKind(AnswerModel):
    count: int = Field(ge=1)


class EndpointDeliveries(AnswerModel):
    """What became of the endpoint's deliveries. A kind that never came is absent. Counts can lag above two a second."""

    completed: EndpointDeliveriesOfAKind = _optional("Completed a token.")
    kept: EndpointDeliveriesOfAKind = _optional("Came before their token, and are kept for it.")
    repeated: EndpointDeliveriesOfAKind = _optional("Their token had already been completed.")
    late: EndpointDeliveriesOfAKind = _optional("Their token had already timed out.")
    notAwaited: EndpointDeliveriesOfAKind = _optional("No token has their key, and the endpoint keeps nothing.")
    notMatching: EndpointDeliveriesOfAKind = _optional("Do not match `completeWhen` or the token's payloadSchema.")
    noKey: EndpointDeliveriesOfAKind = _optional("`key` gave no text and no number.")
    noOutput: EndpointDeliveriesOfAKind = _optional("`output` failed, or its result is too large.")
    refused: EndpointDeliveriesOfAKind = _optional(
        "Their signature is wrong, the secret cannot be used, or the endpoint is disabled."
    )


class EndpointWithDeliveries(EndpointObject):
    deliveries: EndpointDeliveries


class EndpointPagination(AnswerModel):
    next: EndpointName = _optional("The `page[after]` of the next page. Absent on the last page.")


class ListEndpointsResult(AnswerModel):
    data: list[EndpointObject]
    pagination: EndpointPagination


class DeleteEndpointResponse(AnswerModel):
    success: Literal[True]


@shows(recorded_delivery.RecordedDelivery, endpoint="id", expiresAt="createdAt")
class RecordedDelivery(AnswerModel):
    """What an endpoint received, and what became of it."""

    endpoint: EndpointName
    kind: Literal["completed", "kept", "repeated", "late", "notAwaited", "notMatching", "noKey", "noOutput", "pending"]
    expiresAt: Instant


class RetrievedDelivery(RecordedDelivery):
    """A recorded delivery with what was sent."""

    headers: dict[str, str] = _optional("With names in lower case, and without credentials and signatures.")
    query: str = _optional("The raw query, without parameters whose names look secret.")
    body: str = _optional("The body.")
    bodyBase64: str = _optional("The body, if it is not UTF-8, or is too large for a response otherwise.")


class DeliveryPagination(AnswerModel):
    next: Cursor = _optional("The `page[after]` of the next page. Absent on the last page.")


class ListDeliveriesResult(AnswerModel):
    data: list[RecordedDelivery]
    pagination: DeliveryPagination


class DeleteWaitpointTokenResponse(AnswerModel):
    success: Literal[True]
    keptDelivery: RecordedDelivery = _optional(
        "The recorded delivery that settled the token, or the one that was sent again to settle it. It stays, since it has "
        "settled another token, too. Absent if none is left."
    )


class DeleteDeliveryResponse(AnswerModel):
    success: Literal[True]


class DeleteDeliveriesResponse(AnswerModel):
    deleted: int = Field(description="How many this request has deleted.", ge=0)
    done: bool = Field(description="Whether none is left.")


@shows(api_keys.NamedKey)
class NamedKey(AnswerModel):
    """A named key, without the key itself."""

    scopes: list[str]


class CreatedKey(NamedKey):
    key: str = Field(description="The key. No other answer has it.", pattern="^tr_prod_sk_[0-9A-Za-z]{24}$")


class ListedKey(NamedKey):
    lastUsedAt: Instant = _optional("Up to an hour before its last use. Absent if it was never used.")


class ListKeysResult(AnswerModel):
    data: list[ListedKey]


class RevokeKeyResponse(AnswerModel):
    success: Literal[True]


@shows(trial.Step)
class TrialStep(AnswerModel):
    pass


class EndpointTrial(AnswerModel):
    """What would become of a delivery. Every step is shown, also those after the one at which it would end."""

    outcome: Literal[
        "completed", "kept", "repeated", "late", "notAwaited", "notMatching", "noKey", "noOutput", "refused", "handshake"
    ] = Field(description="As which kind the delivery would be counted; `handshake`: it would only be answered.")
    steps: list[TrialStep]
    key: str = _optional("The token's key.")
    token: TokenId = _optional("The token that holds the key now.")
    output: str = _optional("JSON text: what the run would get. Absent if it is over 256 KiB.")


class Nothing(AnswerModel):
    pass


class Page(RootModel[str]):
    """An HTML document."""


def _codes() -> dict[str, type[errors.WaitpointsError]]:
    """The class of each code that the API answers, by status. A sign-in that fails is answered with a page."""
    of_sign_in = (errors.SignInRefused, errors.IssuerFails, errors.SignInPaused, errors.SignInsBusy)
    others = (errors.WaitpointsError, errors.InvalidMember, *of_sign_in)
    found: dict[str, type[errors.WaitpointsError]] = {}
    for it in vars(errors).values():
        if isinstance(it, type) and issubclass(it, errors.WaitpointsError) and it not in others:
            found.setdefault(it.code, it)
    return dict(sorted(found.items(), key=lambda named: (named[1].status, named[0])))


CODES = _codes()


def _check_code(code: str) -> str:
    assert code in CODES
    return code


def _meaning(code: str) -> str:
    [sentences, *_] = inspect.cleandoc(CODES[code].__doc__ or "").split("\n\n")
    return f"- `{code}` ({CODES[code].status}): {sentences}"


Code = Annotated[
    str,
    AfterValidator(_check_code),
    Field(
        description="\n".join(["What is wrong. A code never changes, but more may come:", "", *map(_meaning, CODES)]),
        json_schema_extra={"enum": [*CODES]},
    ),
]


class Refusal(AnswerModel):
    error: str = Field(description="One sentence that says what is wrong and what is accepted. It may change.")
    code: Code


class ScopeRefusal(AnswerModel):
    error: str
    code: Literal["unauthorized"]
    param: Literal["access_token"]
    type: Literal["authorization"]


class GatewayRefusal(AnswerModel):
    """The response of API Gateway itself, when it invokes no function."""

    message: str
