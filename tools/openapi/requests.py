"""The requests that the handlers parse themselves, and not by a written model."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tools.openapi import answers
from tools.openapi.shown import shows
from waitpoints import idempotency_key
from waitpoints.api.complete_request import MAX_CODE, MAX_MESSAGE
from waitpoints.api.endpoints.resend_request import Resend
from waitpoints.token import FAILED_CODE, FAILED_ERROR


class RequestedError(BaseModel):
    """An error with which a token is failed."""

    model_config = ConfigDict(extra="forbid")
    message: str = Field(description=f"At most {MAX_MESSAGE} bytes of UTF-8.", min_length=1)
    name: str = Field(
        default=FAILED_ERROR,
        description="With `unwrap` the state fails with this name. Names that the stack itself raises are refused.",
        pattern="^[A-Za-z][A-Za-z0-9]{0,63}$",
    )
    code: str = Field(default=FAILED_CODE, min_length=1, max_length=MAX_CODE)


class CompleteWaitpointTokenRequest(BaseModel):
    """An unknown field is refused, because the token could not be completed again with what was meant."""

    model_config = ConfigDict(extra="forbid")
    data: Any = Field(
        default=None,
        description="The output: any JSON, kept exactly as sent. Without it the token is completed with no output.",
        examples=[{"status": "approved", "comment": "Looks good to me!"}],
    )
    error: RequestedError | None = Field(
        default=None,
        description="Fails the token instead: its runs get the error. Not together with `data`.",
        examples=[{"message": "The customer cancelled the order", "name": "OrderRejected"}],
    )


class CompleteWaitpointKeyRequest(CompleteWaitpointTokenRequest):
    """An unknown field is refused."""

    idempotencyKey: str = Field(
        description="The key that names what is awaited.",
        min_length=1,
        max_length=idempotency_key.MAX_LENGTH,
        examples=["order-1234567"],
    )
    idempotencyKeyTTL: str | None = Field(
        default=None,
        description="How long the completion is kept if no token holds the key yet: a duration as in `timeout`, at most the "
        "stack's RetentionDays, which is the default.",
        examples=["7d"],
    )


@shows(Resend)
class ResendDeliveryRequest(answers.AnswerModel):
    """An unknown field is refused."""
