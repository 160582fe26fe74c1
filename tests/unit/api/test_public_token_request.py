"""How long a public access token is valid that is asked for."""

from typing import Any

import pytest

from waitpoints.api.public_token_request import MAX_LIFETIME, CreatePublicTokenRequest, MintPublicTokenRequest
from waitpoints.api.request_model import validate
from waitpoints.errors import InvalidTimeout

NOW = 1_800_000_000_999  # milliseconds
SECONDS = NOW // 1000


def lifetime(**asked: Any) -> int:
    return validate(CreatePublicTokenRequest, asked).lifetime(NOW)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({}, 3600),
        ({"expirationTime": "15m"}, 900),
        ({"expirationTime": "30d"}, MAX_LIFETIME),
        ({"expirationTime": SECONDS + 1}, 1),
        ({"expirationTime": SECONDS + MAX_LIFETIME}, MAX_LIFETIME),
    ],
)
def test_a_duration_and_a_time_say_how_long(asked: dict[str, Any], seconds: int) -> None:
    assert lifetime(**asked) == seconds


def test_a_token_of_a_named_key_lives_for_fifteen_minutes_unless_it_says_more() -> None:
    asked = {"scopes": ["read:runs"]}
    assert validate(MintPublicTokenRequest, asked).lifetime(NOW) == 900
    assert validate(MintPublicTokenRequest, asked | {"expirationTime": "30d"}).lifetime(NOW) == MAX_LIFETIME


@pytest.mark.parametrize("written", ["", "soon", "0s", "30d1s", 0, -1, SECONDS, SECONDS + MAX_LIFETIME + 1])
def test_anything_but_the_next_thirty_days_is_refused(written: str | int) -> None:
    with pytest.raises(InvalidTimeout, match="in the next 30 days"):
        lifetime(expirationTime=written)
