"""The settings of an endpoint, as a request gives them. `openapi.yaml` is generated from them.

The endpoint's secret is checked by `rules.check_verify`, which reads it.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from waitpoints import timeouts
from waitpoints.api.callbacks import expressions
from waitpoints.api.request_model import ABSENT, VERIFY_SCHEMA, RequestModel, validate
from waitpoints.endpoint import DEFAULT_KEY_TTL, MAX_NAME, UNVERIFIED, WHOLE_BODY, is_name
from waitpoints.errors import InvalidEndpoint, InvalidTimeout, InvalidVerification
from waitpoints.idempotency_key import utf16_units
from waitpoints.token import MAX_TAG_LENGTH

_DAY = 86_400  # seconds


def _verify(value: Any) -> dict[str, Any] | None:
    """Return what is still to be checked by `rules.check_verify`, or None if every delivery is accepted."""
    accepted = f'expected an object with "scheme" and "secret", or "{UNVERIFIED}" to accept every delivery to the URL'
    if isinstance(value, dict):
        return value
    if value == UNVERIFIED:
        return None
    if isinstance(value, str):
        raise InvalidVerification(f"Invalid verify: {accepted}")
    raise ValueError(accepted)


class PutEndpointRequest(RequestModel):
    """An unknown field is refused, also from the SDK."""

    key: str = Field(
        description=(
            "A JMESPath expression over `body`, `headers` and `query` of a delivery. Its text or number, after the endpoint's "
            "name and a colon, is the key of the token that the delivery completes."
        ),
        examples=["body.workflow_run.id"],
        json_schema_extra={"maxLength": expressions.MAX_LENGTH},
    )
    verify: Annotated[Any, AfterValidator(_verify)] = Field(
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
        json_schema_extra={"maxLength": expressions.MAX_LENGTH},
    )
    output: str = Field(
        default=WHOLE_BODY,
        description="A JMESPath expression that gives the token's output.",
        json_schema_extra={"maxLength": expressions.MAX_LENGTH},
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


def check_name(name: str) -> None:
    """Raises InvalidEndpoint."""
    if not is_name(name):
        raise InvalidEndpoint(f"Invalid name: 1 to {MAX_NAME} characters of a-z, 0-9 and - are accepted")


def parse(value: Any, retention: int) -> PutEndpointRequest:
    """Parse a request's JSON value. `retention` is the stack's, in seconds, and the limit of `keyTTL`.

    Raises InvalidRequest for a field that is unknown, missing or of a wrong type; InvalidEndpoint, or InvalidVerification
    for `verify`, for a value that cannot be used.
    """
    wanted = validate(PutEndpointRequest, value)
    _check("key", wanted.key)
    if expressions.is_constant(wanted.key):
        raise InvalidEndpoint("Invalid key: it must name body, headers or query, or every delivery would have the same key")
    if wanted.complete_when is not None:
        _check("completeWhen", wanted.complete_when)
    _check("output", wanted.output)
    _check_duration("keyTTL", wanted.key_ttl, '"60s", "24h", "1w" (w, d, h, m, s), or "0s" to keep nothing', retention)
    if wanted.record_deliveries is not None:
        if wanted.verify is None:
            needed = "only deliveries that are verified are recorded, so verify is needed"
            raise InvalidEndpoint(f"Invalid recordDeliveries: {needed}")
        _check_duration("recordDeliveries", wanted.record_deliveries, '"24h", "7d", "2w" (w, d, h, m, s)', retention, 1)
    if wanted.tag is not None and not 1 <= utf16_units(wanted.tag) <= MAX_TAG_LENGTH:
        raise InvalidEndpoint(f"Invalid tag: expected 1 to {MAX_TAG_LENGTH} characters")
    return wanted


def _check(field: str, expression: str) -> None:
    try:
        expressions.check_expression(expression)
    except expressions.ExpressionRefused as refusal:
        raise InvalidEndpoint(f"Invalid {field}: {refusal}") from None


def _check_duration(field: str, text: str, accepted: str, retention: int, least: int = 0) -> None:
    try:
        duration = timeouts.duration(text)
    except InvalidTimeout:
        duration = -1
    if duration < least:
        raise InvalidEndpoint(f"Invalid {field}: expected a duration such as {accepted}")
    if duration > retention * 1000:
        raise InvalidEndpoint(f"Invalid {field}: this stack keeps tokens for at most {retention // _DAY}d (its RetentionDays)")
