"""Callback URLs: derived from the id and a key, valid for one token and through one rotation of the key."""

import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import ROOT
from waitpoints import ids
from waitpoints.access.urls import Urls
from waitpoints.errors import TokenNotFound, WrongCallbackHash

KEY = "signing-key"
API_URL = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
TOKEN = ids.new_id(1_800_000_000_000)


@pytest.fixture
def key() -> FakeSecret:
    return FakeSecret(KEY)


@pytest.fixture
def urls(key: FakeSecret) -> Urls:
    return Urls("https://hooks.example.com", key)


def hash_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


def test_a_url_has_the_documented_form(urls: Urls) -> None:
    digest = hmac.new(KEY.encode(), TOKEN.removeprefix("waitpoint_").encode(), hashlib.sha256).hexdigest()
    assert urls.url(TOKEN, API_URL) == f"https://hooks.example.com/api/v1/waitpoints/tokens/{TOKEN}/callback/{digest}"


def test_a_base_url_may_end_in_a_slash(key: FakeSecret, urls: Urls) -> None:
    assert Urls("https://hooks.example.com/", key).url(TOKEN, API_URL) == urls.url(TOKEN, API_URL)


def test_without_a_public_base_url_the_apis_own_is_used(key: FakeSecret, urls: Urls) -> None:
    url = Urls("", key).url(TOKEN, API_URL)
    assert url == urls.url(TOKEN, API_URL).replace("https://hooks.example.com", API_URL)


def test_the_hash_is_accepted_in_upper_and_lower_case(urls: Urls) -> None:
    urls.check_token(TOKEN, hash_of(urls.url(TOKEN, API_URL)))
    urls.check_token(TOKEN, hash_of(urls.url(TOKEN, API_URL)).upper())


def test_the_hash_of_another_token_is_refused(urls: Urls) -> None:
    with pytest.raises(WrongCallbackHash):
        urls.check_token(TOKEN, hash_of(urls.url(ids.new_id(1_800_000_000_000), API_URL)))


@given(st.text() | st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_any_other_text_is_refused(written: str) -> None:
    urls = Urls("", FakeSecret(KEY))
    with pytest.raises(WrongCallbackHash):
        urls.check_token(TOKEN, written)


KINDS: dict[str, tuple[Callable[[Urls], str], Callable[[Urls, str], object]]] = {
    "a token": (lambda urls: urls.url(TOKEN, API_URL), lambda urls, it: urls.check_token(TOKEN, it)),
    "an approver": (
        lambda urls: urls.url(TOKEN, API_URL, "ann").partition("?")[0],
        lambda urls, it: urls.check_token(TOKEN, it.upper(), "approver=ann&a=1"),
    ),
    "an endpoint": (
        lambda urls: urls.endpoint_url("github", "0123456789abcdef01234567", API_URL),
        lambda urls, it: urls.check_endpoint("github", it),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [0, 31, 63])
def test_a_hash_with_one_wrong_digit_is_refused(urls: Urls, kind: str, place: int) -> None:
    make, check = KINDS[kind]
    right = hash_of(make(urls))
    wrong = right[:place] + ("0" if right[place] != "0" else "1") + right[place + 1 :]
    for written in (wrong, right[:-1], right + "0", right[24:]):
        with pytest.raises(WrongCallbackHash):
            check(urls, written)


@pytest.mark.parametrize("kind", KINDS)
def test_a_url_survives_one_key_rotation_but_not_two(urls: Urls, key: FakeSecret, kind: str) -> None:
    make, check = KINDS[kind]
    old = hash_of(make(urls))
    key.rotate("the next key")
    check(urls, old)
    assert hash_of(make(urls)) != old
    key.rotate("the one after")
    with pytest.raises(WrongCallbackHash):
        check(urls, old)


VECTORS = {
    "ann": "d4a2a66cc5299a28adf6b0adc11086ab598843c5f2cde777b84999e4d0f85a56",
    "bo@example.com": "ba046c71073574bae3c971f8d723bcaf9a04fd1ee0a0e9a3458d32611ff54a1a",
    "Ünï/?&=#%2F+ 🎈": "3a71aa143c4bf25209aa2c5cf2725e1c8b9444e56b6e6139800210c8b2c83593",
}
"""The hash of each approver's link, with the key and for the token that follow."""
VECTORS_KEY, VECTORS_TOKEN = "the-signing-key-of-this-stack-0123456789", "waitpoint_01j8zq5v3n8k2m4p6r7s9t0vwx"


class TestApprover:
    @pytest.mark.parametrize("approver", VECTORS)
    def test_the_hash_of_a_link_is_that_of_the_contract(self, approver: str) -> None:
        urls, named = Urls("", FakeSecret(VECTORS_KEY)), quote(approver, safe="")
        path = f"/api/v1/waitpoints/tokens/{VECTORS_TOKEN}/callback/{VECTORS[approver]}?approver={named}"
        assert urls.url(VECTORS_TOKEN, API_URL, approver) == f"{API_URL}{path}"
        assert urls.check_token(VECTORS_TOKEN, VECTORS[approver], f"approver={named}") == (VECTORS_TOKEN, approver)

    def test_a_vector_is_in_the_contract(self) -> None:
        contract = (ROOT / "docs" / "internals" / "contract.md").read_text()
        assert all(text in contract for text in (VECTORS["ann"], VECTORS_KEY, VECTORS_TOKEN))

    @pytest.mark.parametrize(
        "query",
        ["", "a=1", "approver", "approver=", "approver=Ann", "approver=ann&approver=ann", "approver=ann&approver=bo",
         "Approver=ann", "%61pprover=ann", "approver=ann%00", "approver=%FF", "approver=ann%20", "xapprover=ann"],
    )  # fmt: skip
    def test_any_other_query_is_refused(self, query: str) -> None:
        with pytest.raises(WrongCallbackHash):
            Urls("", FakeSecret(VECTORS_KEY)).check_token(VECTORS_TOKEN, VECTORS["ann"], query)

    @pytest.mark.parametrize("query", ["", "approver=ann", "approver=", "approver=%FF", "approver=a&approver=b"])
    def test_the_plain_hash_names_nobody(self, urls: Urls, query: str) -> None:
        its_hash = urls.url(TOKEN, API_URL).rsplit("/", 1)[1]
        assert urls.check_token(TOKEN, its_hash, query) == (TOKEN, None)


class TestEndpoint:
    NAME, SECRET_ID = "github", "0123456789abcdef01234567"

    def url(self, urls: Urls) -> str:
        return urls.endpoint_url(self.NAME, self.SECRET_ID, API_URL)

    def test_a_url_has_the_documented_form(self, urls: Urls) -> None:
        signed = b"endpoint/github/0123456789abcdef01234567"
        digest = hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
        assert self.url(urls) == f"https://hooks.example.com/api/v1/endpoints/github/0123456789abcdef01234567{digest}"

    def test_the_last_part_names_the_secret_id_in_upper_and_lower_case(self, urls: Urls) -> None:
        last_part = hash_of(self.url(urls))
        assert urls.check_endpoint(self.NAME, last_part) == self.SECRET_ID
        assert urls.check_endpoint(self.NAME, last_part.upper()) == self.SECRET_ID

    @pytest.mark.parametrize("name", ["gitlab", "", "GITHUB", "github/", "\ud800", "github/0123456789abcdef01234567"])
    def test_another_name_is_refused(self, urls: Urls, name: str) -> None:
        with pytest.raises(WrongCallbackHash):
            urls.check_endpoint(name, hash_of(self.url(urls)))

    @given(st.text() | st.text(alphabet="0123456789abcdef", min_size=88, max_size=88), st.text())
    def test_any_other_text_is_refused(self, written: str, name: str) -> None:
        with pytest.raises(WrongCallbackHash):
            Urls("", FakeSecret(KEY)).check_endpoint(name, written)

    def test_a_tokens_hash_opens_no_endpoint(self, urls: Urls) -> None:
        bare = TOKEN.removeprefix("waitpoint_")
        hash_of_the_token = hash_of(urls.url(TOKEN, API_URL))
        for name, secret_id in ((bare, self.SECRET_ID), ("", self.SECRET_ID), (bare[:2], bare[2:])):
            with pytest.raises(WrongCallbackHash):
                urls.check_endpoint(name, secret_id + hash_of_the_token)

    def test_an_endpoints_hash_opens_no_token(self, urls: Urls) -> None:
        for written_id in (TOKEN, self.NAME, self.SECRET_ID):
            with pytest.raises(WrongCallbackHash):
                urls.check_token(written_id, hash_of(self.url(urls))[24:])
        with pytest.raises(TokenNotFound):  # what the endpoint's hash signs is no token's id
            ids.parse(f"endpoint/{self.NAME}/{self.SECRET_ID}")
