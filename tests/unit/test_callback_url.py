"""Callback URLs: derived from the id and a key, valid for one token and through one rotation of the key."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.secret import FakeSecret
from waitpoints import ids
from waitpoints.api.callback_url import CallbackUrls
from waitpoints.errors import WrongCallbackHash

KEY = "signing-key"
API_URL = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
TOKEN = ids.new_id(1_800_000_000_000)


@pytest.fixture
def key() -> FakeSecret:
    return FakeSecret(KEY)


@pytest.fixture
def urls(key: FakeSecret) -> CallbackUrls:
    return CallbackUrls("https://hooks.example.com", key)


def hash_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


def test_a_url_has_the_documented_form(urls: CallbackUrls) -> None:
    digest = hmac.new(KEY.encode(), TOKEN.removeprefix("waitpoint_").encode(), hashlib.sha256).hexdigest()
    assert urls.url(TOKEN, API_URL) == f"https://hooks.example.com/api/v1/waitpoints/tokens/{TOKEN}/callback/{digest}"


def test_a_base_url_may_end_in_a_slash(key: FakeSecret, urls: CallbackUrls) -> None:
    assert CallbackUrls("https://hooks.example.com/", key).url(TOKEN, API_URL) == urls.url(TOKEN, API_URL)


def test_without_a_public_base_url_the_apis_own_is_used(key: FakeSecret, urls: CallbackUrls) -> None:
    url = CallbackUrls("", key).url(TOKEN, API_URL)
    assert url == urls.url(TOKEN, API_URL).replace("https://hooks.example.com", API_URL)


def test_the_hash_is_accepted_in_upper_and_lower_case(urls: CallbackUrls) -> None:
    urls.check(TOKEN, hash_of(urls.url(TOKEN, API_URL)))
    urls.check(TOKEN, hash_of(urls.url(TOKEN, API_URL)).upper())


def test_the_hash_of_another_token_is_refused(urls: CallbackUrls) -> None:
    with pytest.raises(WrongCallbackHash):
        urls.check(TOKEN, hash_of(urls.url(ids.new_id(1_800_000_000_000), API_URL)))


@given(st.text() | st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_any_other_text_is_refused(written: str) -> None:
    urls = CallbackUrls("", FakeSecret(KEY))
    with pytest.raises(WrongCallbackHash):
        urls.check(TOKEN, written)


@pytest.mark.parametrize("place", [0, 31, 63])
def test_a_hash_with_one_wrong_digit_is_refused(urls: CallbackUrls, place: int) -> None:
    right = hash_of(urls.url(TOKEN, API_URL))
    wrong = right[:place] + ("0" if right[place] != "0" else "1") + right[place + 1 :]
    for written in (wrong, right[:-1], right + "0"):
        with pytest.raises(WrongCallbackHash):
            urls.check(TOKEN, written)


def test_a_url_survives_one_key_rotation_but_not_two(urls: CallbackUrls, key: FakeSecret) -> None:
    old = hash_of(urls.url(TOKEN, API_URL))
    key.rotate("the next key")
    urls.check(TOKEN, old)
    assert hash_of(urls.url(TOKEN, API_URL)) != old
    key.rotate("the one after")
    with pytest.raises(WrongCallbackHash):
        urls.check(TOKEN, old)
