"""The request bodies that are validated with pydantic, under the names that Trigger.dev's own specification gives them.

`openapi.yaml` is made of these models. Field names are Trigger.dev's (contract C2, R1), in camel case on the wire.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from waitpoints import timeouts
from waitpoints.errors import InvalidRequest, InvalidTimeout, TooManyTags

MAX_KEY_LENGTH = 2048
MAX_TAG_LENGTH = 128
MAX_TAGS = 10
MAX_LIFETIME = 30 * 86_400  # seconds


def _utf16_units(text: str) -> int:
    """The length as JavaScript counts it, so that both sides agree on every limit."""
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair is no text") from None


def _key(key: str) -> str:
    if not key:
        raise ValueError("idempotencyKey must not be empty")
    if _utf16_units(key) > MAX_KEY_LENGTH:
        raise ValueError(f"idempotencyKey must be {MAX_KEY_LENGTH} characters or less")
    return key


def _tag(tag: str) -> str:
    if _utf16_units(tag) > MAX_TAG_LENGTH:
        raise ValueError(f"Tags must be {MAX_TAG_LENGTH} characters or less")
    return tag


Tag = Annotated[str, AfterValidator(_tag), Field(json_schema_extra={"maxLength": MAX_TAG_LENGTH})]
IdempotencyKeyText = Annotated[
    str, AfterValidator(_key), Field(json_schema_extra={"minLength": 1, "maxLength": MAX_KEY_LENGTH})
]

ABSENT: Any = None  # an absent field is no error, but null is: the type does not allow it


class RequestModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="ignore")


class CreateWaitpointTokenRequest(RequestModel):
    """Everything is optional, and unknown fields are ignored."""

    idempotency_key: IdempotencyKeyText = Field(
        default=ABSENT,
        description="While a token holds this key, creating with the same key answers with that token, as it was made.",
        examples=["approval-user-1234567"],
    )
    idempotency_key_ttl: str = Field(
        default=ABSENT,
        alias="idempotencyKeyTTL",
        description="How long the token holds its key: a whole number of s, m, h or d. For ever when it is absent.",
        examples=["24h"],
        json_schema_extra={"pattern": "^([0-9]{1,15}[smhd])?$"},
    )
    timeout: Any = Field(
        default=None,
        description=(
            'When the token times out: a duration such as "30s", "10m", "1d12h" (w, d, h, m, s), or a future date in ISO '
            "8601. What names no future instant is refused with 422. Absent, empty or null is the stack's DefaultTimeout, "
            "which is none unless it was set."
        ),
        examples=["1h", "2030-01-31T18:00:00Z"],
        json_schema_extra={"type": ["string", "null"]},
    )
    tags: Tag | Annotated[list[Tag], Field(json_schema_extra={"maxItems": MAX_TAGS})] = Field(
        default=[],
        description=f"One tag or a list of at most {MAX_TAGS}, by which tokens can be listed.",
        examples=[["user:1234567", "org:9876543"]],
    )
    task_token: Annotated[str, Field(min_length=1, max_length=2048)] = Field(
        default=ABSENT,
        description="A Step Functions task token. Its execution waits for this token from the same write on.",
    )
    unwrap: bool = Field(
        default=False,
        description='With `taskToken`: the execution is given the bare output instead of `{"ok": …}`, and fails on a timeout.',
    )

    @property
    def all_tags(self) -> tuple[str, ...]:
        """The tags as a tuple. Raises TooManyTags."""
        tags = (self.tags,) if isinstance(self.tags, str) else tuple(self.tags)
        if len(tags) > MAX_TAGS:
            raise TooManyTags(f"Waitpoints can only have {MAX_TAGS} tags, you're trying to set {len(tags)}.")
        return tags


class PublicTokenScopes(RequestModel):
    scopes: list[str] = Field(
        default=[],
        description="What the token allows, as `action:type` or `action:type:id`.",
        examples=[["write:waitpoints:waitpoint_01jd3rj5v0000000000000000a"]],
    )


class CreatePublicTokenRequest(RequestModel):
    claims: PublicTokenScopes = Field(default=PublicTokenScopes())
    expiration_time: int | str = Field(
        default="1h",
        description='An instant in epoch seconds, or a duration from now such as "15m"; at most 30 days away.',
        examples=["15m"],
    )

    @property
    def scopes(self) -> list[str]:
        return self.claims.scopes

    def lifetime(self, now: int) -> int:
        """How many seconds from `now` (epoch milliseconds) the token is good for. Raises InvalidTimeout."""
        try:
            if isinstance(self.expiration_time, str):
                lifetime = timeouts.duration(self.expiration_time) // 1000
            else:
                lifetime = self.expiration_time - now // 1000
        except InvalidTimeout:
            lifetime = 0
        if not 0 < lifetime <= MAX_LIFETIME:
            raise InvalidTimeout(
                'Invalid expirationTime: expected an instant in epoch seconds or a duration such as "15m", in the next 30 days'
            )
        return lifetime


def validated[Model: BaseModel](model: type[Model], value: Any) -> Model:
    """`value` as a `model`. Raises InvalidRequest that names the field and what it accepts."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [_problem(problem["loc"], problem["msg"]) for problem in error.errors(include_url=False)]
        raise InvalidRequest("Validation error: " + ", or ".join(problems)) from None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    """One problem of a value. pydantic names the member of a union that it tried beside the fields; that is left out."""
    where = ""
    for part in location:
        if isinstance(part, int):
            where += f"[{part}]"
        elif part not in ("str", "int", "function-after") and "[" not in part:
            where += f".{part}" if where else part
    message = message.removeprefix("Value error, ")
    if message.startswith("Input should be a valid dictionary or "):
        message = "Expected an object"
    return f'{message} at "{where}"' if where else message
