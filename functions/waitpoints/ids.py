"""Token ids: `waitpoint_` and a ULID in lower case.

A ULID is 48 bits of creation time in milliseconds and 80 random bits, in Crockford's base 32, so that ids sort by
creation time. The part after the prefix alone is the list cursor, and stands for the token in every path (contract T6).
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


def new_id(now: int) -> str:
    """A fresh token id for the instant `now` (epoch milliseconds)."""
    return PREFIX + _encode(now << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS))


def parse(written: str) -> str:
    """The full id for an id as a caller wrote it, with or without the prefix.

    Raises TokenNotFound when it cannot be the id of any token, so that rubbish never reaches the database.
    """
    bare = written.removeprefix(PREFIX)
    if not _ULID.fullmatch(bare):
        raise TokenNotFound
    return PREFIX + bare


def is_cursor(text: str) -> bool:
    """Whether `text` can stand between two tokens in a list."""
    return _ULID.fullmatch(text) is not None


def next_to(token_id: str, step: int) -> str:
    """The id `step` places after (or, below 0, before) this one, at most the first or last of all."""
    number = _decode(token_id.removeprefix(PREFIX)) + step
    return PREFIX + _encode(min(max(number, 0), _COUNT - 1))


def first_of(instant: int) -> str:
    """The smallest id that a token created at `instant` (epoch milliseconds) or later can have."""
    return PREFIX + _encode(min(instant << _RANDOM_BITS, _COUNT - 1))


def last_of(instant: int) -> str:
    """The largest id that a token created at `instant` (epoch milliseconds) or earlier can have."""
    return PREFIX + _encode(min(instant + 1 << _RANDOM_BITS, _COUNT) - 1)


def _decode(bare: str) -> int:
    number = 0
    for character in bare:
        number = number << 5 | _ALPHABET.index(character)
    return number


def _encode(number: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))


FIRST, LAST = first_of(0), PREFIX + _encode(_COUNT - 1)
