"""The bodies of the HTTP API as pydantic models: what requests are validated with, and what `openapi.yaml` is made of.

Field names are Trigger.dev's (contract 2), in camel case on the wire. An absent field is left out, never null.
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
    return len(text.encode("utf-16-le")) // 2


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


class CreateTokenRequest(RequestModel):
    """Everything is optional; unknown fields are ignored, since a newer SDK may send more."""

    idempotency_key: IdempotencyKeyText = Field(default=ABSENT)
    idempotency_key_ttl: str = Field(default=ABSENT, alias="idempotencyKeyTTL")
    timeout: Any = None
    tags: Tag | list[Tag] = Field(default=[])
    task_token: Annotated[str, Field(min_length=1, max_length=2048)] = Field(default=ABSENT)
    unwrap: bool = False

    @property
    def all_tags(self) -> tuple[str, ...]:
        """The tags as a tuple. Raises TooManyTags."""
        tags = (self.tags,) if isinstance(self.tags, str) else tuple(self.tags)
        if len(tags) > MAX_TAGS:
            raise TooManyTags(f"Waitpoints can only have {MAX_TAGS} tags, you're trying to set {len(tags)}.")
        return tags


class PublicTokenClaims(RequestModel):
    scopes: list[str] = Field(default=[])


class CreatePublicTokenRequest(RequestModel):
    """`expirationTime` is an instant in epoch seconds, or a duration from now such as "15m"; an hour by default."""

    claims: PublicTokenClaims = Field(default=PublicTokenClaims())
    expiration_time: int | str = Field(default="1h")

    @property
    def scopes(self) -> list[str]:
        return self.claims.scopes

    def lifetime(self, now: int) -> int:
        """How many seconds from `now` (epoch milliseconds) the token is good for. Raises InvalidTimeout."""
        if isinstance(self.expiration_time, str):
            lifetime = timeouts.duration(self.expiration_time) // 1000
        else:
            lifetime = self.expiration_time - now // 1000
        if not 0 < lifetime <= MAX_LIFETIME:
            raise InvalidTimeout("Invalid expirationTime: a public access token is good for at most 30 days from now")
        return lifetime


class CreateTokenResponse(BaseModel):
    id: str
    isCached: bool
    url: str


def validated[Model: BaseModel](model: type[Model], value: Any) -> Model:
    """`value` as a `model`. Raises InvalidRequest that names the field and what it accepts."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [_problem(problem["loc"], problem["msg"]) for problem in error.errors(include_url=False)]
        raise InvalidRequest("Validation error: " + ", or ".join(problems)) from None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    names = [part for part in location if not (isinstance(part, str) and ("[" in part or part in ("str", "function-after")))]
    where = "".join(f"[{part}]" if isinstance(part, int) else part for part in names)
    message = message.removeprefix("Value error, ")
    return f'{message} at "{where}"' if where else message
