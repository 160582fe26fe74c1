"""The settings of an endpoint, as a request gives them. `openapi.yaml` is generated from them."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from waitpoints.api import request_checks
from waitpoints.api.models.base import ABSENT, VERIFY_SCHEMA, RequestModel
from waitpoints.endpoint import DEFAULT_KEY_TTL, UNVERIFIED, WHOLE_BODY
from waitpoints.token import MAX_EXPRESSION, MAX_TAG_LENGTH


class PutEndpointRequest(RequestModel):
    """An unknown field is refused, also from the SDK."""

    key: str = Field(
        description=(
            "A JMESPath expression over `body`, `headers` and `query` of a delivery. Its text or number, after the endpoint's "
            "name and a colon, is the key of the token that the delivery completes."
        ),
        examples=["body.workflow_run.id"],
        json_schema_extra={"maxLength": MAX_EXPRESSION},
    )
    verify: Annotated[Any, AfterValidator(request_checks.verify_of_endpoint)] = Field(
        description=(
            "The signature that deliveries must have, as for a token: an object with `scheme` and `secret`. Or "
            f'"{UNVERIFIED}", which says on purpose that the URL alone may complete tokens.'
        ),
        examples=[{"scheme": "github", "secret": "github"}, UNVERIFIED],
        json_schema_extra={"anyOf": [VERIFY_SCHEMA, {"type": "string", "const": UNVERIFIED}]},
    )
    complete_when: str = Field(
        default=ABSENT,
        description="A JMESPath expression. Any other delivery than one that matches is answered 200 and only counted.",
        examples=["body.action == 'completed'"],
        json_schema_extra={"maxLength": MAX_EXPRESSION},
    )
    output: str = Field(
        default=WHOLE_BODY,
        description="A JMESPath expression that gives the token's output.",
        json_schema_extra={"maxLength": MAX_EXPRESSION},
    )
    key_ttl: str = Field(
        default=DEFAULT_KEY_TTL,
        alias="keyTTL",
        description=(
            "How long a delivery is kept that came before its token: a duration as in a token's `timeout`, at most the "
            'stack\'s RetentionDays. "0s" keeps nothing.'
        ),
    )
    tag: str = Field(
        default=ABSENT,
        description="Each key then begins with it, `TAG:NAME:value`, so that API keys which are limited to the tag may use it.",
        examples=["team-a"],
        json_schema_extra={"minLength": 1, "maxLength": MAX_TAG_LENGTH},
    )
    record_deliveries: str = Field(
        default=ABSENT,
        description=(
            "How long each delivery that passed `verify` is kept, to be read and sent again: a duration as `keyTTL`'s, but not "
            '"0s". Without it, deliveries are only counted.'
        ),
        examples=["7d"],
    )
