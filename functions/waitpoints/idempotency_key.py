"""The text of a token's key."""

from waitpoints.errors import InvalidRequest

MAX_LENGTH = 2048


def check_key(key: str) -> str:
    """Return the key. Raises InvalidRequest if it is empty, too long, or no valid Unicode."""
    if not key:
        raise InvalidRequest("idempotencyKey must not be empty")
    if utf16_units(key) > MAX_LENGTH:
        raise InvalidRequest(f"idempotencyKey must be {MAX_LENGTH} characters or less")
    return key


def utf16_units(text: str) -> int:
    """The length in UTF-16 code units, as JavaScript counts it, so that the SDK and this API agree on every limit."""
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise InvalidRequest("text must not contain half of a surrogate pair") from None
