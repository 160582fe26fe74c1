"""The `verify` of a request: by which scheme deliveries are signed, and with which secret."""

import re
from typing import Any

from waitpoints.api.providers.schemes import ALIASES, SCHEMES
from waitpoints.api.request_model import CHANNEL_SECRET, SECRET_NAME, VERIFY_FIELDS
from waitpoints.errors import InvalidVerification
from waitpoints.token import Verification
from waitpoints.unknown_names import unknown

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")


def parse_verify(value: Any) -> Verification:
    """Parse the `verify` of a request. Raises InvalidVerification."""
    if not isinstance(value, dict):
        raise InvalidVerification('verify must be an object with "scheme", "secret" and, for the scheme token, "header"')
    for name in value:
        if name not in VERIFY_FIELDS:
            raise InvalidVerification(f"Invalid verify: {unknown(name, VERIFY_FIELDS)}")
    scheme = _check_scheme(value.get("scheme"))
    secret = value.get("secret")
    if not isinstance(secret, str) or not SECRET_NAME.fullmatch(secret):
        raise InvalidVerification("verify.secret must be the name of a secret: 1 to 64 letters, digits, hyphens or underscores")
    if CHANNEL_SECRET.fullmatch(secret):
        channels = "SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET and names that begin with TEAMS"
        raise InvalidVerification(f"verify.secret must be the name of a webhook's secret: {channels} are of channels")
    return Verification(scheme, secret, _check_header(scheme, value.get("header")))


def _check_scheme(value: Any) -> str:
    name = ALIASES.get(value, value) if isinstance(value, str) else ""
    if name in SCHEMES:
        return name
    schemes = sorted(SCHEMES)
    _, _, hint = unknown(name, schemes).rpartition(": ")  # without what was sent, which may be the secret by mistake
    nearest = f"; {hint}" if hint.endswith("?") else ""
    raise InvalidVerification(f"verify.scheme must be one of {', '.join(schemes)}{nearest}")


def _check_header(scheme: str, value: Any) -> str | None:
    if scheme != "token":
        if value is not None:
            raise InvalidVerification("verify.header is only accepted with the scheme token; other schemes have fixed headers")
        return None
    if not isinstance(value, str) or not _HEADER_NAME.fullmatch(value):
        raise InvalidVerification("verify.header must be the name of the header that contains the secret")
    return value.lower()
