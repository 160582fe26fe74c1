"""Of which organization a signed-in person is, and when they proved who they are."""

import pytest

from waitpoints.sign_in import Session, SignedIn

NOW = 1_800_000_000_000


def session(domain: str | None = "example.com", auth_time: int | None = NOW) -> Session:
    return Session("id", SignedIn("https://issuer.example.com", "ann-1", "ann@example.com", NOW), domain, auth_time, NOW + 1)


@pytest.mark.parametrize(
    ("domain", "is_in"),
    [
        ("example.com", True),
        ("example.org", True),
        (None, False),
        ("", False),
        ("sub.example.com", False),
        ("notexample.com", False),
        ("example.com.evil.org", False),
        ("example.co", False),
        ("exаmple.com", False),  # noqa: RUF001 - a Cyrillic letter
    ],
)
def test_domains_match_whole(domain: str | None, is_in: bool) -> None:
    assert session(domain).is_in(["Example.com", "example.org"]) is is_in


@pytest.mark.parametrize(
    ("auth_time", "is_recent"),
    [
        *((NOW, True), (NOW - 360_000, True), (NOW - 360_001, False), (None, False)),
        *((NOW + 60_000, True), (NOW + 60_001, False), (10**33, False)),
    ],
)
def test_credentials_are_recent_only_if_the_issuer_says_so(auth_time: int | None, is_recent: bool) -> None:
    assert session(auth_time=auth_time).is_recent(300_000, NOW) is is_recent
