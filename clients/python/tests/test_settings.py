"""Which stack a client calls, and with which key."""

import sys
from typing import Any

import pytest

from waitpoints_client import AsyncWaitpoints, ConfigurationError, Waitpoints

URL = "https://stack.example.com"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAITPOINTS_URL", raising=False)
    monkeypatch.delenv("WAITPOINTS_API_KEY", raising=False)


def key_of(client: Waitpoints | AsyncWaitpoints) -> str:
    return client._session.api_key


def test_the_url_and_the_key_are_those_of_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAITPOINTS_URL", f" {URL}/\n")
    monkeypatch.setenv("WAITPOINTS_API_KEY", " the-key\n")

    assert (Waitpoints().url, key_of(Waitpoints())) == (URL, "the-key")
    assert (AsyncWaitpoints().url, key_of(AsyncWaitpoints())) == (URL, "the-key")
    assert (Waitpoints("http://127.0.0.1:8787").url, key_of(Waitpoints(api_key="another"))) == (
        "http://127.0.0.1:8787",
        "another",
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"api_key": "key"}, "No URL: give url=…, or set WAITPOINTS_URL to the stack's output ApiUrl"),
        ({"url": "", "api_key": "key"}, "No URL"),
        ({"url": URL}, "No API key: give api_key=…, or set WAITPOINTS_API_KEY"),
        ({"url": URL, "api_key": " "}, "No API key"),
        ({"url": "stack.example.com", "api_key": "key"}, "The URL must begin with https:// or http://"),
        ({"url": "https://", "api_key": "key"}, "must begin with https://"),
        ({"url": " ", "api_key": "key"}, "No URL"),
        ({"url": "https://stack.example.com:port", "api_key": "key"}, "a host or a port that no URL has"),
        ({"url": "https://stack.example.com:99999", "api_key": "key"}, "a host or a port that no URL has"),
        ({"url": "https://[::1", "api_key": "key"}, "a host or a port that no URL has"),
        ({"url": "https://stack.example.com/\0", "api_key": "key"}, "characters that no URL has"),
        ({"url": "https://stack example.com", "api_key": "key"}, "characters that no URL has"),
        ({"url": f"{URL}?a=1", "api_key": "key"}, "must be the stack's output ApiUrl"),
        ({"url": f"{URL}#a", "api_key": "key"}, "must be the stack's output ApiUrl"),
        ({"url": f"{URL}/api/v1", "api_key": "key"}, "must be the stack's output ApiUrl"),
        ({"url": URL, "stack": "waitpoints"}, "Give a stack, or a url and an api_key, not both"),
    ],
)
def test_what_is_missing_is_said(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Waitpoints(**given)


def test_a_stack_can_be_below_a_path() -> None:
    assert Waitpoints(f"{URL}/waits/", "key").url == f"{URL}/waits"


def test_a_client_closes_its_connections_at_the_end() -> None:
    with Waitpoints(URL, "key") as client:
        assert not client._http.is_closed
    assert client._http.is_closed


@pytest.mark.parametrize("client", [Waitpoints, AsyncWaitpoints])
def test_a_stack_needs_the_extra(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(ConfigurationError, match=r'the extra "aws": in a clone, pip install "\./clients/python\[aws\]"'):
        client(stack="waitpoints")
