"""The request to make a named key (contract Q5). `openapi.yaml` is generated from it."""

from pydantic import Field

from waitpoints.access.api_keys import ACTIONS, MAX_BYTES, MAX_DAYS, MAX_NAME, NAME_PATTERN
from waitpoints.api.models.base import ABSENT, RequestModel


class CreateKeyRequest(RequestModel):
    """An unknown field is refused, also from the SDK."""

    name: str = Field(
        description=f"1 to {MAX_NAME} letters, digits, `-`, `_` and `.`, of which the first is a letter or a digit.",
        examples=["nightly-job"],
        json_schema_extra={"pattern": f"^{NAME_PATTERN}$"},
    )
    scopes: list[str] = Field(
        description=(
            "What the key may do: `create`, `complete`, `read`, `notify` (which a create with `notify` also needs), "
            "`deliveries` (recorded ones) and `endpoints`, each at most once. All but the last may end in a colon and a tag, "
            "`create:team-a`, and then cover only tokens, or endpoints, with this tag, and write as `tags` and "
            f"`idempotencyKey` only names that are the tag or begin with it and a colon. At most {MAX_BYTES} bytes in all."
        ),
        examples=[["create:team-a", "read"]],
        json_schema_extra={"minItems": 1, "maxItems": len(ACTIONS)},
    )
    expires_in: str = Field(
        default=ABSENT,
        description=f"When the key ends: a duration from now, as in a token's `timeout`, at most {MAX_DAYS}d. Default: never.",
        examples=["90d"],
    )
