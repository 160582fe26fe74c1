"""The request to create a public access token. `openapi.yaml` is generated from it."""

from pydantic import Field

from waitpoints import timeouts
from waitpoints.api.request_model import RequestModel
from waitpoints.errors import InvalidTimeout

MAX_LIFETIME = 30 * 86_400  # seconds


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
        description='A time in epoch seconds, or a duration from now such as "15m"; at most 30 days away.',
        examples=["15m"],
    )

    @property
    def scopes(self) -> list[str]:
        return self.claims.scopes

    def lifetime(self, now: int) -> int:
        """Return for how many seconds from `now` (epoch milliseconds) the token is valid. Raises InvalidTimeout."""
        try:
            if isinstance(self.expiration_time, str):
                lifetime = timeouts.duration(self.expiration_time) // 1000
            else:
                lifetime = self.expiration_time - now // 1000
        except InvalidTimeout:
            lifetime = 0
        if not 0 < lifetime <= MAX_LIFETIME:
            raise InvalidTimeout(
                'Invalid expirationTime: expected a time in epoch seconds or a duration such as "15m", in the next 30 days'
            )
        return lifetime
