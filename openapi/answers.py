"""What the HTTP API answers, as pydantic models, for `openapi.yaml` and for the tests that hold answers against it.

Nothing of this is deployed: an answer is made by `waitpoints.representation` and its neighbours. The names are those of
Trigger.dev's own specification where it has one. An absent field is left out, never null, and no answer has fields
beside these.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Instant = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        examples=["2030-01-31T18:00:00.000Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
TokenId = Annotated[str, Field(pattern="^waitpoint_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
Cursor = Annotated[str, Field(pattern="^[0-7][0-9a-hjkmnp-tv-z]{25}$")]
CallbackUrl = Annotated[
    str,
    Field(
        description="Whoever POSTs anything to this URL completes the token with it, without an API key.",
        pattern="^https?://.+/api/v1/waitpoints/tokens/waitpoint_[0-9a-z]{26}/callback/[0-9a-f]{64}$",
    ),
]


class AnswerModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _optional(description: str) -> Any:
    """The default of a field that may be left out."""
    return Field(default=None, description=description)


class CreateWaitpointTokenResponse(AnswerModel):
    id: TokenId
    isCached: bool = Field(description="Whether an earlier call with the same `idempotencyKey` had made this token.")
    url: CallbackUrl


class Waiter(AnswerModel):
    """A Step Functions execution that waits for the token."""

    id: str = Field(description="Names the waiter without giving its task token away.", pattern="^[0-9a-f]{16}$")
    status: Literal["WAITING", "UNDELIVERED", "RESUMED", "GONE"] = Field(
        description="GONE: its task token was used up before. UNDELIVERED: the token has ended, and the waiter is being told."
    )
    registeredAt: Instant
    resumedAt: Instant = _optional("When Step Functions took the outcome.")
    lagMs: int = _optional("Milliseconds from the token's end to that.")


class WaitpointTokenObject(AnswerModel):
    id: TokenId
    url: CallbackUrl
    status: Literal["WAITING", "COMPLETED", "TIMED_OUT"]
    idempotencyKey: str = _optional("The key that the token was created with.")
    idempotencyKeyExpiresAt: Instant = _optional("Until when the token holds its key.")
    timeoutAt: Instant = _optional("When the token times out.")
    completedAfter: Instant = _optional("The same as `timeoutAt`.")
    completedAt: Instant = _optional("When the token ended, either way.")
    output: str = _optional(
        "JSON text: what the token was completed with or, when it timed out, an object with `code` and `message`. "
        "For `outputType` application/store, the path under which `/api/v1/packets` has it. Not in a list."
    )
    outputType: Literal["application/json", "application/store"] = _optional("How to read `output`. Not in a list.")
    outputIsError: bool = _optional("Whether the token timed out. Not in a list.")
    tags: list[str]
    createdAt: Instant
    type: Literal["MANUAL"] = _optional("Not in a list.")
    userProvidedIdempotencyKey: bool = _optional("Whether there is an `idempotencyKey`. Not in a list.")
    waiters: list[Waiter] = _optional("The executions that wait for the token. Not in a list, and not in Trigger.dev.")


class Pagination(AnswerModel):
    next: Cursor = _optional("`page[after]` of the next, older page. Absent on the last one.")
    previous: Cursor = _optional("`page[before]` of the previous, newer page. Absent on the first one.")


class ListWaitpointTokensResult(AnswerModel):
    data: list[WaitpointTokenObject]
    pagination: Pagination


class CompleteWaitpointTokenResponse(AnswerModel):
    success: Literal[True]


class WaitForWaitpointTokenResponse(AnswerModel):
    success: Literal[True]


class PublicTokenClaims(AnswerModel):
    """With these claims the SDK signs public access tokens itself."""

    sub: str
    pub: Literal[True]


class PublicToken(AnswerModel):
    token: str = Field(pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$")


class PacketLink(AnswerModel):
    presignedUrl: str


class Nothing(AnswerModel):
    pass


class Refusal(AnswerModel):
    error: str = Field(description="What is wrong and what is accepted, in one sentence.")


class ScopeRefusal(AnswerModel):
    error: str
    code: Literal["unauthorized"]
    param: Literal["access_token"]
    type: Literal["authorization"]


class GatewayRefusal(AnswerModel):
    """What API Gateway answers by itself, without any function."""

    message: str
