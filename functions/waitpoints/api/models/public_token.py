"""The requests to create a public access token. `openapi.yaml` is generated from them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from waitpoints.api.models.base import RequestModel
from waitpoints.api.request_checks import SCOPE, check_scope

_SCOPES = "What the token allows, as `action:type` or `action:type:id`. Only those that complete waitpoints open anything here."
_ONE_SCOPE = ["write:waitpoints:waitpoint_01jd3rj5v0000000000000000a"]
_EXPIRATION = 'A time in epoch seconds, or a duration from now such as "15m"; at most 30 days away.'

_Scope = Annotated[str, AfterValidator(check_scope), Field(json_schema_extra={"pattern": f"^({SCOPE})$"})]


class PublicTokenScopes(RequestModel):
    scopes: list[_Scope] = Field(default=[], description=_SCOPES, examples=[_ONE_SCOPE])


class CreatePublicTokenRequest(RequestModel):
    claims: PublicTokenScopes = Field(default=PublicTokenScopes())
    expiration_time: int | str = Field(default="1h", description=_EXPIRATION, examples=["15m"])


class MintPublicTokenRequest(RequestModel):
    scopes: list[_Scope] = Field(min_length=1, description=_SCOPES, examples=[_ONE_SCOPE])
    expiration_time: int | str = Field(default="15m", description=_EXPIRATION, examples=["15m"])
