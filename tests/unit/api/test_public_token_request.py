"""How long a public access token is valid that is asked for."""

from typing import Any

import pytest

from waitpoints.api.public_token_request import MAX_LIFETIME, lifetime
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.public_token import CREATE_PUBLIC_TOKEN_REQUEST
from waitpoints.errors import InvalidTimeout

NOW = 1_800_000_000_999  # milliseconds
SECONDS = NOW // 1000


def asked_lifetime(**asked: Any) -> int:
    return lifetime(validate(CREATE_PUBLIC_TOKEN_REQUEST, asked).expiration_time, NOW)


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
    assert asked_lifetime(**asked) == seconds


@pytest.mark.parametrize("written", ["", "soon", "0s", "30d1s", 0, -1, SECONDS, SECONDS + MAX_LIFETIME + 1])
def test_anything_but_the_next_thirty_days_is_refused(written: str | int) -> None:
    with pytest.raises(InvalidTimeout, match="in the next 30 days"):
        asked_lifetime(expirationTime=written)
