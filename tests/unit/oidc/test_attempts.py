"""The cookies of sign-ins that have begun."""

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.secret import FakeSecret
from waitpoints.oidc.attempts import LASTS, Attempt, Attempts

ISSUER, CLIENT, PAGE = "https://issuer.example.com", "client", "/page"


@pytest.fixture
def key() -> FakeSecret:
    return FakeSecret("a key")


@pytest.fixture
def attempts(key: FakeSecret, clock: FakeClock) -> Attempts:
    return Attempts(key, ISSUER, CLIENT, clock)


def begin(attempts: Attempts, cookies: dict[str, str]) -> Attempt:
    """Begin a sign-in in a browser with these cookies."""
    attempt, texts = attempts.begin(cookies, PAGE, 300)
    for text in texts:
        name, _, value = text.partition(";")[0].partition("=")
        cookies[name] = value
        if "Max-Age=0" in text:
            del cookies[name]
    return attempt


def test_an_attempt_is_found_by_its_state_for_ten_minutes(attempts: Attempts, clock: FakeClock) -> None:
    cookies: dict[str, str] = {}
    attempt = begin(attempts, cookies)
    assert (attempt.target, attempt.max_age) == (PAGE, 300)
    clock.advance(milliseconds=LASTS - 1)
    assert attempts.find(cookies, attempt.state) == attempt
    clock.advance(milliseconds=1)
    assert attempts.find(cookies, attempt.state) is None


@pytest.mark.parametrize("state", ["", "x", "x" * 43, "../" * 20, "é" * 43])
def test_no_other_state_finds_it(attempts: Attempts, state: str) -> None:
    cookies: dict[str, str] = {}
    attempt = begin(attempts, cookies)
    assert attempts.find(cookies, state) is None
    assert attempts.find(cookies, attempt.state[:16] + "x" * 27) is None


def test_no_two_are_alike(attempts: Attempts) -> None:
    made = [begin(attempts, {}) for _ in range(2)]
    assert len({text for one in made for text in (one.state, one.nonce, one.verifier, one.challenge)}) == 8


def test_the_challenge_is_that_of_rfc_7636() -> None:
    """Appendix B."""
    attempt = Attempt("", "", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", PAGE, None, 0)
    assert attempt.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_key_that_was_rotated_in_the_middle_still_counts(attempts: Attempts, key: FakeSecret) -> None:
    cookies: dict[str, str] = {}
    attempt = begin(attempts, cookies)
    key.rotate("next")
    assert attempts.find(cookies, attempt.state) == attempt
    key.rotate("and the next")
    assert attempts.find(cookies, attempt.state) is None


def test_an_attempt_at_another_issuer_or_client_is_none(attempts: Attempts, key: FakeSecret, clock: FakeClock) -> None:
    cookies: dict[str, str] = {}
    attempt = begin(attempts, cookies)
    for issuer, client in (("https://other.example.com", CLIENT), (ISSUER, "other")):
        assert Attempts(key, issuer, client, clock).find(cookies, attempt.state) is None


def test_its_deletion_is_of_its_cookie(attempts: Attempts) -> None:
    cookies: dict[str, str] = {}
    attempt = begin(attempts, cookies)
    assert attempt.deletion.startswith(f"{next(iter(cookies))}=; Max-Age=0; ")
