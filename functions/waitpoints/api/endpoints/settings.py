"""Parse a request to configure an endpoint. The endpoint's secret is checked by `rules.verification`, which reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waitpoints import timeouts
from waitpoints.api.deliveries import expressions
from waitpoints.endpoint import DEFAULT_KEY_TTL, MAX_NAME, UNVERIFIED, WHOLE_BODY, is_name
from waitpoints.errors import InvalidEndpoint, InvalidRequest, InvalidTimeout, InvalidVerification
from waitpoints.unknown_names import refuse_unknown

FIELDS = ("key", "verify", "completeWhen", "output", "keyTTL")
_DAY = 86_400  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRequest:
    """The requested configuration. `verify` is still to be checked by `rules.verification`; None accepts every delivery."""

    key: str
    verify: Mapping[str, Any] | None
    complete_when: str | None
    output: str
    key_ttl: str


def check_name(name: str) -> None:
    """Raises InvalidEndpoint."""
    if not is_name(name):
        raise InvalidEndpoint(f"Invalid name: 1 to {MAX_NAME} characters of a-z, 0-9 and - are accepted")


def parse(value: Any, retention: int) -> EndpointRequest:
    """Parse a request's JSON value. `retention` is the stack's, in seconds, and the limit of `keyTTL`.

    Raises InvalidRequest for a field that is unknown, missing or of a wrong type; InvalidEndpoint, or InvalidVerification
    for `verify`, for a value that cannot be used.
    """
    if not isinstance(value, dict):
        raise InvalidRequest('Validation error: expected an object with "key" and "verify"')
    refuse_unknown(value, FIELDS)
    request = EndpointRequest(
        key=_text(value, "key"),
        verify=_verify(value),
        complete_when=_text(value, "completeWhen") if "completeWhen" in value else None,
        output=_text(value, "output", WHOLE_BODY),
        key_ttl=_text(value, "keyTTL", DEFAULT_KEY_TTL),
    )
    _check_key(request.key)
    if request.complete_when is not None:
        _check("completeWhen", request.complete_when)
    _check("output", request.output)
    _check_key_ttl(request.key_ttl, retention)
    return request


def _text(value: Mapping[str, Any], field: str, default: str | None = None) -> str:
    text = value.get(field, default)
    if field not in value and default is None:
        raise InvalidRequest(f'Validation error: "{field}" is required')
    if not isinstance(text, str):
        raise InvalidRequest(f'Validation error: expected a text at "{field}"')
    return text


def _verify(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    accepted = f'expected an object with "scheme" and "secret", or "{UNVERIFIED}" to accept every delivery to the URL'
    verify = value.get("verify")
    if "verify" not in value:
        raise InvalidRequest(f'Validation error: "verify" is required: {accepted}')
    if isinstance(verify, str) and verify != UNVERIFIED:
        raise InvalidVerification(f"Invalid verify: {accepted}")
    if not isinstance(verify, (str, dict)):
        raise InvalidRequest(f'Validation error: {accepted} at "verify"')
    return verify if isinstance(verify, dict) else None


def _check(field: str, expression: str) -> None:
    try:
        expressions.check(expression)
    except expressions.ExpressionRefused as refusal:
        raise InvalidEndpoint(f"Invalid {field}: {refusal}") from None


def _check_key(expression: str) -> None:
    _check("key", expression)
    if expressions.is_constant(expression):
        raise InvalidEndpoint("Invalid key: it must name body, headers or query, or every delivery would have the same key")


def _check_key_ttl(text: str, retention: int) -> None:
    try:
        duration = timeouts.duration(text)
    except InvalidTimeout:
        raise InvalidEndpoint(
            'Invalid keyTTL: expected a duration such as "60s", "24h", "1w" (w, d, h, m, s), or "0s" to keep nothing'
        ) from None
    if duration > retention * 1000:
        raise InvalidEndpoint(f"Invalid keyTTL: this stack keeps tokens for at most {retention // _DAY}d (its RetentionDays)")
