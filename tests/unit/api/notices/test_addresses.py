"""Which addresses SES takes: SES API v2, `Destination` ("does not support the SMTPUTF8 extension")."""

import pytest

from waitpoints.api.notices.addresses import is_sendable


@pytest.mark.parametrize(
    "address", ["ann@example.com", "o'brien+x@mail.example.co", "a..b@example.com", "x@xn--bcher-kva.example"]
)
def test_an_address_in_ascii_is_sendable(address: str) -> None:
    assert is_sendable(address)


@pytest.mark.parametrize(
    "address", ["jörg@example.com", "ann@bücher.example", "ann@straße.example", "=?utf-8?q?a?=@example.com"]
)
def test_another_one_is_not(address: str) -> None:
    assert not is_sendable(address)
