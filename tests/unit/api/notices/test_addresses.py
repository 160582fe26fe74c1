"""Which domains mails may go to."""

import pytest

from waitpoints.api.notices.addresses import is_allowed


@pytest.mark.parametrize(
    ("address", "domains", "allowed"),
    [
        ("ann@example.com", (), True),
        ("ann@example.com", ("example.com",), True),
        ("ann@Example.COM", ("example.com",), True),
        ("ann@XN--Bcher-KVA.example", ("xn--bcher-kva.example",), True),
        ("ann@sub.example.com", ("example.com",), False),
        ("ann@evilexample.com", ("example.com",), False),
        ("ann@example.com.evil.example", ("example.com", ".example.com"), False),
        ("ann%evil.example@example.com", ("evil.example",), False),
        ("evil.example@example.com", ("evil.example",), False),
        ("ann@example.com", (".example.com",), False),
        ("ann@sub.example.com", (".example.com",), True),
        ("ann@a.b.example.com", (".example.com",), True),
        ("ann@evil.com/.example.com", (".example.com",), False),
        ("ann@evil.com?.example.com", (".example.com",), False),
        ("ann@.example.com", (".example.com",), False),
        ("ann@evilexample.com", (".example.com",), False),
        ("ann@sub.example.com", ("example.org", "example.com", ".example.com"), True),
    ],
)
def test_an_address_is_at_a_domain_or_below_one_that_begins_with_a_dot(
    address: str, domains: tuple[str, ...], allowed: bool
) -> None:
    assert is_allowed(address, domains) is allowed
