"""What a request to complete a token asks for: an output, or an error that fails it."""

import re
from collections.abc import Mapping
from typing import Any

from waitpoints import errors, json_text
from waitpoints.errors import InvalidRequest
from waitpoints.known_names import refuse_unknown
from waitpoints.token import FAILED_CODE, FAILED_ERROR, TokenError
from waitpoints.waiter_result import REFUSED_ERROR, TIMEOUT_ERROR

FIELDS = ("data", "error")
MAX_MESSAGE = 4096  # bytes of UTF-8
MAX_CODE = 128  # characters
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)
# A state's Retry must not match an error that a caller wrote, so no name is accepted that the stack itself raises.
# The names of AWS have a dot (States.Timeout, Lambda.Unknown), which the grammar excludes.
_RESERVED = {name for name, value in vars(errors).items() if isinstance(value, type)} | {TIMEOUT_ERROR, REFUSED_ERROR}


def requested(members: Mapping[str, str], *, ignore_unknown: bool = False) -> str | TokenError | None:
    """The text of `data`, the error, or None for neither. `members` has the JSON text of each member. Raises InvalidRequest.

    A newer SDK may send more beside `data` or `error`. Without them an unknown field is always refused: a completion is
    final.
    """
    is_known = "data" in members or "error" in members
    if not (ignore_unknown and is_known):
        refuse_unknown(members, FIELDS)
    if "error" not in members:
        return members.get("data")
    if "data" in members:
        raise InvalidRequest('Validation error: expected "data" or "error", not both')
    try:
        return token_error(json_text.parse(members["error"]))
    except json_text.NotJson as error:  # what `data` may hold, such as a number of 5,000 digits
        raise InvalidRequest(f"Invalid JSON: {error}") from None


def token_error(value: Any) -> TokenError:
    """`error` of a request to complete a token. Raises InvalidRequest."""
    if not isinstance(value, dict):
        raise InvalidRequest('Validation error: "error" must be an object with a "message"')
    refuse_unknown(value, ["message", "name", "code"])
    message = _text(value.get("message"), "message", MAX_MESSAGE)
    name = value.get("name", FAILED_ERROR)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest('Validation error: "error.name" must be a letter and at most 63 letters and digits')
    if name in _RESERVED:
        raise InvalidRequest(f'Validation error: "error.name" must not be {name}, which the stack itself raises')
    return TokenError(message, name, _text(value.get("code", FAILED_CODE), "code", MAX_CODE))


def _text(value: Any, name: str, limit: int) -> str:
    try:
        if isinstance(value, str) and 0 < len(value.encode()) <= limit:
            return value
    except UnicodeEncodeError:
        pass
    raise InvalidRequest(f'Validation error: "error.{name}" must be a text of 1 to {limit} bytes of UTF-8')
