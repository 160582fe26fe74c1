"""The `verify` of a request: by which scheme deliveries are signed, and with which secret."""

from collections.abc import Mapping
from typing import Any

from waitpoints import json_text
from waitpoints.api.providers import own_scheme
from waitpoints.api.providers.schemes import ALIASES, OWN, SCHEMES
from waitpoints.api.request_model import CHANNEL_SECRET, SECRET_NAME, TIMESTAMP_FIELDS, VERIFY_FIELDS
from waitpoints.errors import InvalidVerification
from waitpoints.token import Verification
from waitpoints.unknown_names import unknown


def parse_verify(value: Any) -> Verification:
    """Parse the `verify` of a request. Raises InvalidVerification."""
    if not isinstance(value, dict):
        raise InvalidVerification('verify must be an object with "scheme", "secret" and, for the scheme token, "header"')
    _check_names("verify", value, VERIFY_FIELDS)
    if isinstance(value.get("timestamp"), dict):
        _check_names("verify.timestamp", value["timestamp"], TIMESTAMP_FIELDS)
    scheme = _check_scheme(value.get("scheme"))
    secret = value.get("secret")
    if not isinstance(secret, str) or not SECRET_NAME.fullmatch(secret):
        raise InvalidVerification("verify.secret must be the name of a secret: 1 to 64 letters, digits, hyphens or underscores")
    if CHANNEL_SECRET.fullmatch(secret):
        channels = "SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET and names that begin with TEAMS"
        raise InvalidVerification(f"verify.secret must be the name of a webhook's secret: {channels} are of channels")
    signing = {name: member for name, member in value.items() if name not in ("scheme", "secret")}
    if scheme == OWN:
        described = {**signing, "signed": signing.get("signed", own_scheme.DEFAULT_SIGNED)}  # versions before 0.4.1 need it
        own_scheme.parse(described)
        return Verification(scheme, secret, signing=json_text.dumps(described))
    return Verification(scheme, secret, _check_header(scheme, signing))


def _check_names(path: str, members: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name in members:
        if name not in known:
            raise InvalidVerification(f"Invalid {path}: {unknown(name, known)}")


def _check_scheme(value: Any) -> str:
    name = ALIASES.get(value, value) if isinstance(value, str) else ""
    schemes = sorted([*SCHEMES, OWN])
    if name in schemes:
        return name
    _, _, hint = unknown(name, schemes).rpartition(": ")  # without what was sent, which may be the secret by mistake
    nearest = f"; {hint}" if hint.endswith("?") else ""
    raise InvalidVerification(f"verify.scheme must be one of {', '.join(schemes)}{nearest}")


def _check_header(scheme: str, others: Mapping[str, Any]) -> str | None:
    """Return the header of the scheme `token`. Raises InvalidVerification for what another scheme has."""
    for name in others:
        if name != "header" or scheme != "token":
            accepted = "the schemes token and hmac" if name == "header" else "the scheme hmac"
            raise InvalidVerification(f"verify.{name} is only accepted with {accepted}: {scheme} has a fixed form")
    return own_scheme.header_name(others.get("header"), "verify.header") if scheme == "token" else None
