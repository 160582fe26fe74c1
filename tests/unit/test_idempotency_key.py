"""The text of a key: its length is counted as JavaScript does, and it can be stored."""

import pytest

from waitpoints import idempotency_key
from waitpoints.errors import InvalidRequest


@pytest.mark.parametrize("key", ["k", " ", "k" * 2048, "\N{GRINNING FACE}" * 1024])
def test_a_key_is_kept_as_it_is(key: str) -> None:
    assert idempotency_key.check_key(key) == key


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "must not be empty"),
        ("k" * 2049, "2048 characters or less"),
        ("\N{GRINNING FACE}" * 1024 + "k", "2048 characters or less"),
        ("k\ud800", "half of a surrogate pair"),
    ],
)
def test_any_other_text_is_refused(key: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        idempotency_key.check_key(key)
