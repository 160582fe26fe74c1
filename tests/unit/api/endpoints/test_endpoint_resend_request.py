"""The request to send a recorded delivery again."""

from typing import Any

import pytest

from waitpoints.api.endpoints.resend_request import Resend, parse
from waitpoints.errors import InvalidRequest, TokenNotFound

TOKEN = "waitpoint_" + "0" * 26


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, Resend()),
        ({"tokenId": TOKEN}, Resend(TOKEN)),
        ({"tokenId": TOKEN.removeprefix("waitpoint_")}, Resend(TOKEN)),
        ({"idempotencyKey": "k"}, Resend(None, "k")),
    ],
)
def test_is_read(body: Any, expected: Resend) -> None:
    assert parse(body) == expected


@pytest.mark.parametrize(
    "body", [None, [], "text", {"token": TOKEN}, {"tokenId": 1}, {"tokenId": None}, {"idempotencyKey": ""}]
)
def test_anything_else_is_refused(body: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse(body)


def test_what_is_no_id_of_a_token_is_not_found() -> None:
    with pytest.raises(TokenNotFound):
        parse({"tokenId": "delivery_" + "0" * 26})
