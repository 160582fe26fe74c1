"""Parse the settings of an endpoint, as a request gives them.

The endpoint's secret is checked by `rules.check_verify`, which reads it.
"""

from typing import TYPE_CHECKING, Any

from waitpoints import timeouts
from waitpoints.api.callbacks import expressions
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.endpoint import PUT_ENDPOINT_REQUEST
from waitpoints.endpoint import MAX_NAME, is_name
from waitpoints.errors import InvalidEndpoint, InvalidTimeout
from waitpoints.idempotency_key import utf16_units
from waitpoints.token import MAX_TAG_LENGTH

if TYPE_CHECKING:
    from waitpoints.api.models.endpoint import PutEndpointRequest

_DAY = 86_400  # seconds


def check_name(name: str) -> None:
    """Raises InvalidEndpoint."""
    if not is_name(name):
        raise InvalidEndpoint(f"Invalid name: 1 to {MAX_NAME} characters of a-z, 0-9 and - are accepted")


def parse(value: Any, retention: int) -> "PutEndpointRequest":
    """Parse a request's JSON value. `retention` is the stack's, in seconds, and the limit of `keyTTL`.

    Raises InvalidRequest for a field that is unknown, missing or of a wrong type; InvalidEndpoint, or InvalidVerification
    for `verify`, for a value that cannot be used.
    """
    wanted = validate(PUT_ENDPOINT_REQUEST, value)
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
