"""Parse a request to complete a token, or the token of a key, with an output, or to fail it with an error."""

import re
from collections.abc import Mapping
from typing import Any

from waitpoints import errors, idempotency_key, json_text, timeouts
from waitpoints.errors import InvalidRequest
from waitpoints.token import FAILED_CODE, FAILED_ERROR, IdempotencyKey, TokenError
from waitpoints.unknown_names import refuse_unknown
from waitpoints.waiter_result import DELETED_ERROR, REFUSED_ERROR, TIMEOUT_ERROR

FIELDS = ("data", "error")
KEY_FIELDS = ("idempotencyKey", "idempotencyKeyTTL")
MAX_MESSAGE = 4096  # bytes of UTF-8
MAX_CODE = 128  # bytes of UTF-8
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)
# Callers must not use the error names that the stack raises: a state's Retry could not tell the two apart.
# AWS's own names contain a dot (States.Timeout, Lambda.Unknown), which _NAME excludes.
_RESERVED = {name for name, value in vars(errors).items() if isinstance(value, type)} | {
    TIMEOUT_ERROR,
    REFUSED_ERROR,
    DELETED_ERROR,
}


def parse(members: Mapping[str, str], *, ignore_unknown: bool = False) -> str | TokenError | None:
    """Return the JSON text of `data`, or the error, or None if both are absent. Raises InvalidRequest.

    `members` has the JSON text of each field. `ignore_unknown` accepts fields of a newer SDK, but only beside `data` or
    `error`: a completion is final, so a misspelled `data` must not complete the token without an output.
    """
    is_known = "data" in members or "error" in members
    if not (ignore_unknown and is_known):
        refuse_unknown(members, FIELDS)
    if "error" not in members:
        return members.get("data")
    if "data" in members:
        raise InvalidRequest('Validation error: expected "data" or "error", not both')
    return parse_error(_parse_json(members["error"]))


def parse_by_key(members: Mapping[str, str], now: int, retention: int) -> tuple[IdempotencyKey, str | TokenError | None]:
    """Return the key, with the end of an early completion as its expiry, and what `parse` returns.

    `members` has the JSON text of each field, `retention` is in seconds. Raises InvalidRequest or InvalidTimeout.
    """
    refuse_unknown(members, KEY_FIELDS + FIELDS)
    text = _parse_json(members.get("idempotencyKey", "null"))
    if not isinstance(text, str):
        raise InvalidRequest('Validation error: "idempotencyKey" must be a string of 1 to 2,048 characters')
    early_until = timeouts.early_until(_parse_json(members.get("idempotencyKeyTTL", "null")), now, retention)
    key = IdempotencyKey(idempotency_key.check_key(text), early_until)
    return key, parse({name: value for name, value in members.items() if name in FIELDS})


def parse_error(value: Any) -> TokenError:
    """Parse the `error` of a request to complete a token. Raises InvalidRequest."""
    if not isinstance(value, dict):
        raise InvalidRequest('Validation error: "error" must be an object with a "message"')
    refuse_unknown(value, ["message", "name", "code"])
    message = _check_text(value.get("message"), "message", MAX_MESSAGE)
    name = value.get("name", FAILED_ERROR)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest('Validation error: "error.name" must be 1 to 64 letters and digits and start with a letter')
    if name in _RESERVED:
        raise InvalidRequest(f'Validation error: "error.name" must not be {name}: the stack raises this error itself')
    return TokenError(message, name, _check_text(value.get("code", FAILED_CODE), "code", MAX_CODE))


def _parse_json(text: str) -> Any:
    try:
        return json_text.parse_unambiguous(text)
    except json_text.NotJson as error:  # `data` accepts numbers of 5,000 digits, other fields do not
        raise InvalidRequest(f"Invalid JSON: {error}") from None


def _check_text(value: Any, name: str, limit: int) -> str:
    try:
        if isinstance(value, str) and 0 < len(value.encode()) <= limit:
            return value
    except UnicodeEncodeError:
        pass
    raise InvalidRequest(f'Validation error: "error.{name}" must be a string of 1 to {limit} bytes of UTF-8')
