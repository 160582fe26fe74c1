"""What is kept of the issuer's documents, and for how long."""

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.issuer import FakeIssuer
from tests.support.in_process.fakes.secret import MissingSecret
from waitpoints.errors import IssuerFails, SignInRefused
from waitpoints.oidc.issuer import ERROR_CODES, FAILED_FOR, KEPT_FOR, REFETCH_AFTER, Fetched, Issuer


class Source:
    def __init__(self) -> None:
        self.calls, self.fails = 0, False

    def __call__(self) -> int:
        self.calls += 1
        if self.fails:
            raise IssuerFails("down")
        return self.calls


@pytest.fixture
def source() -> Source:
    return Source()


def test_a_document_is_kept_for_a_while(source: Source, clock: FakeClock) -> None:
    fetched = Fetched(source, clock)
    assert [fetched.read(), fetched.read()] == [1, 1]
    clock.advance(milliseconds=KEPT_FOR)
    assert [fetched.read(), fetched.read()] == [2, 2]


def test_what_is_missing_in_it_is_looked_for_once_a_minute(source: Source, clock: FakeClock) -> None:
    fetched = Fetched(source, clock)
    fetched.read()
    assert fetched.read(REFETCH_AFTER) == 1
    clock.advance(milliseconds=REFETCH_AFTER)
    assert [fetched.read(REFETCH_AFTER), fetched.read(REFETCH_AFTER)] == [2, 2]


def test_after_a_failure_nothing_is_called_for_a_moment_and_what_was_kept_stays(source: Source, clock: FakeClock) -> None:
    fetched = Fetched(source, clock)
    fetched.read()
    source.fails = True
    clock.advance(milliseconds=REFETCH_AFTER)
    for _ in range(3):
        with pytest.raises(IssuerFails):
            fetched.read(REFETCH_AFTER)
        assert fetched.read() == 1
    assert source.calls == 2
    source.fails = False
    clock.advance(milliseconds=FAILED_FOR)
    assert fetched.read(REFETCH_AFTER) == 3


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
def test_standard_codes_are_passed_on(code: str, clock: FakeClock) -> None:
    with pytest.raises(SignInRefused) as raised:
        made(clock).read_code({"iss": "https://a.example.com", "error": code})
    assert raised.value.reason == f"response_{code}"


def made(clock: FakeClock, url: str = "https://a.example.com") -> Issuer:
    return Issuer(url, "client", "openid", "https://hooks.example.com", MissingSecret(), clock)


def test_a_response_without_a_code_signs_nobody_in(clock: FakeClock) -> None:
    for response in ({}, {"code": ""}):
        with pytest.raises(SignInRefused) as raised:
            made(clock).read_code({"iss": "https://a.example.com", **response})
        assert raised.value.reason == "no_code"


def test_an_issuer_without_https_is_not_called(clock: FakeClock) -> None:
    with pytest.raises(IssuerFails) as raised:
        made(clock, "http://a.example.com").read_code({"code": "x"})
    assert raised.value.reason == "not_https"


@pytest.mark.parametrize("keys", [None, {}, "x"])
def test_a_document_without_keys_is_none(
    clock: FakeClock, idp: FakeIssuer, keys: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idp, "keys", keys)
    with pytest.raises(IssuerFails) as raised:
        made(clock, idp.url).find_keys()
    assert raised.value.reason == "no_keys"


def test_a_key_that_is_no_object_is_passed_over(clock: FakeClock, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idp, "keys", [7, idp.key.public])
    assert made(clock, idp.url).find_keys() == [idp.key.public]
