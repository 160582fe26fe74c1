"""Ids: a prefix, which is `waitpoint_` for a token, followed by a lower-case ULID.

A ULID is 48 bits of creation time in milliseconds and 80 random bits, in Crockford's base 32, so ids sort by creation
time. The part after the prefix is the list cursor, and every path accepts it as the id (contract T6).
"""

import re
import secrets

from waitpoints.errors import TokenNotFound

PREFIX = "waitpoint_"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ULID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}", re.ASCII)
_LENGTH = 26
_RANDOM_BITS = 80
_COUNT = 1 << 48 + _RANDOM_BITS


def form(prefix: str = PREFIX) -> dict[str, str]:
    """Return what the API's description says of ids with a prefix."""
    return {"pattern": f"^{prefix}{_ULID.pattern}$"}


def new_id(now: int, prefix: str = PREFIX) -> str:
    """Return a new id for the time `now` (epoch milliseconds)."""
    return prefix + _encode(now << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS))


def parse(text: str) -> str:
    """Return the full id for an id with or without the prefix.

    Raises TokenNotFound for an invalid id, which needs no database call.
    """
    ulid = text.removeprefix(PREFIX)
    if not is_cursor(ulid):
        raise TokenNotFound
    return PREFIX + ulid


def is_cursor(text: str) -> bool:
    """Whether `text` is a valid list cursor."""
    return _ULID.fullmatch(text) is not None


def bare(full_id: str) -> str:
    """Return the id without its prefix."""
    return full_id[-_LENGTH:]


def next_to(full_id: str, step: int) -> str:
    """Return the id `step` places after this one (before it if negative), clamped to the first and last possible id."""
    number = _decode(bare(full_id)) + step
    return full_id[:-_LENGTH] + _encode(min(max(number, 0), _COUNT - 1))


def first_of(instant: int, prefix: str = PREFIX) -> str:
    """Return the smallest id of what was created at `instant` (epoch milliseconds) or later."""
    return prefix + _encode(min(instant << _RANDOM_BITS, _COUNT - 1))


def last_of(instant: int, prefix: str = PREFIX) -> str:
    """Return the largest id of what was created at `instant` (epoch milliseconds) or earlier."""
    return prefix + _encode(min(instant + 1 << _RANDOM_BITS, _COUNT) - 1)


def _decode(ulid: str) -> int:
    number = 0
    for character in ulid:
        number = number << 5 | _ALPHABET.index(character)
    return number


def _encode(number: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))


FIRST, LAST = first_of(0), PREFIX + _encode(_COUNT - 1)
