"""The key and the hashes of URLs are in no message, and the key goes to the stack alone."""

import traceback
from typing import Any

import httpx
import pytest

from waitpoints_client import APIError, AsyncWaitpoints, ConfigurationError, CreatedToken, Token, Waitpoints, WaitpointsError

KEY = "a-secret-key"
HASH = "0123456789abcdef" * 4
URL = f"https://stack.example.com/api/v1/waitpoints/tokens/waitpoint_1/callback/{HASH}"


def client(answer: Any) -> Waitpoints:
    return Waitpoints("https://stack.example.com", KEY, transport=httpx.MockTransport(answer))


def said(error: BaseException) -> str:
    """Everything that a log of an exception shows."""
    return "".join(traceback.format_exception(error)) + repr(error)


def test_a_refusal_that_repeats_them_is_shown_without_them() -> None:
    endpoint = f"/api/v1/endpoints/orders/{'ab' * 44}"
    with pytest.raises(APIError) as raised:
        client(lambda _: httpx.Response(400, json={"error": f"{KEY}, {URL}, {endpoint}"})).create()

    assert (
        raised.value.message
        == "…, https://stack.example.com/api/v1/waitpoints/tokens/waitpoint_1/callback/…, /api/v1/endpoints/orders/…"
    )
    assert KEY not in said(raised.value)
    assert HASH not in said(raised.value)


@pytest.mark.parametrize("key", ["line\nbreak", "schlüssel-zum-stack", "nul\0byte"])
def test_a_key_that_no_header_can_have_is_refused_unseen(key: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Waitpoints("https://stack.example.com", key)

    assert key not in said(raised.value).replace("\\n", "\n")


@pytest.mark.parametrize("url", [KEY, URL, f"https://user:{KEY}@stack.example.com", f"https://stack.example.com?key={KEY}"])
def test_a_url_that_holds_a_secret_is_refused_unseen(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Waitpoints(url, "another-key")

    assert KEY not in said(raised.value)
    assert HASH not in said(raised.value)


def test_a_client_and_its_answers_are_shown_without_them() -> None:
    link = {"approver": "ann", "url": f"{URL}?approver=ann"}
    created = CreatedToken.model_validate(
        {"id": "waitpoint_1", "url": URL, "isCached": False, "publicAccessToken": "a.b.c", "links": [link]}
    )
    token = Token.model_validate(
        {
            "id": "waitpoint_1",
            "url": URL,
            "status": "COMPLETED",
            "tags": [],
            "createdAt": "2026-11-01T00:00:00Z",
            "output": "42",
            "links": [link],
            "answers": [{"approver": "ann", "action": "pay", "fields": {"amount": 42}, "at": "2026-11-01T00:00:01Z"}],
        }
    )
    shown = [Waitpoints("https://stack.example.com", KEY), AsyncWaitpoints("https://stack.example.com", KEY), created, token]

    for text in map(repr, shown):
        assert not any(secret in text for secret in (KEY, HASH, "a.b.c", "42"))


def test_a_large_output_is_downloaded_without_the_key_and_its_link_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waitpoints_client.clock.time.sleep", lambda _: None)
    link = "https://bucket.example.com/waitpoint_1/1.json?X-Amz-Signature=5f3c"
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if request.url.host == "bucket.example.com":
            raise httpx.ConnectError("no route", request=request)
        if "/packets/" in request.url.path:
            return httpx.Response(200, json={"presignedUrl": link})
        stored = {"output": "waitpoint_1/1.json", "outputType": "application/store"}
        token = {"id": "waitpoint_1", "url": URL, "status": "COMPLETED", "tags": [], "createdAt": "2026-11-01T00:00:00Z"}
        return httpx.Response(200, json={**token, **stored})

    with pytest.raises(WaitpointsError, match=r"^bucket\.example\.com did not answer") as raised:
        client(answer).get("waitpoint_1")
    assert "5f3c" not in said(raised.value)
    assert {request.headers.get("authorization") for request in requests if request.url.host == "bucket.example.com"} == {None}
    assert requests[1].url.raw_path == b"/api/v1/packets/waitpoint_1%2F1.json"


def test_a_redirect_is_not_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "stack.example.com"
        return httpx.Response(302, headers={"location": "https://elsewhere.example.com"})

    with pytest.raises(APIError, match=r"^302: Found: a redirect is not followed\. Check the URL"):
        client(answer).create()


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_cannot_name_another_path(name: str) -> None:
    with pytest.raises(ValueError, match="does not name"):
        client(lambda _: httpx.Response(500)).get(name)
    with pytest.raises(ValueError, match="does not name"):
        client(lambda _: httpx.Response(500)).endpoints.delete(name)


def test_an_id_is_one_part_of_the_path() -> None:
    paths = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200, json={"success": True})

    client(answer).complete("a/../b?c#d", 1)
    assert paths == [b"/api/v1/waitpoints/tokens/a%2F..%2Fb%3Fc%23d/complete"]
