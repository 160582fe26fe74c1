"""The page behind a callback URL, in each state of its token."""

from functools import partial
from typing import Any

import pytest

from tests.support.callbacks import assert_untouched
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.approval_page import APPROVAL, BROWSER, FITTING, has_nothing_to_press, opened, page_of, submit
from tests.support.in_process.stores import RETENTION
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.errors import TryAgain


@pytest.fixture
def token(api: Api) -> dict[str, Any]:
    return api.create(page=APPROVAL, timeout="1d")


class TestGet:
    def test_shows_the_page_of_a_waiting_token(self, api: Api, token: dict[str, Any]) -> None:
        page = opened(api, token)
        for text in ("Example Ltd", APPROVAL["title"], APPROVAL["text"], "Release notes", "Amount", "Answer due by "):
            assert str(text) in page.text
        assert page.title == "Deploy 4.2 to production? · Example Ltd"
        assert page.links == ["https://example.com/notes?a=1&b=2"]
        assert page.buttons == {"Approve it": ("action", "approve"), "Reject it": ("action", "reject")}
        assert_untouched(api, token)

    def test_forbids_what_a_page_could_be_abused_for(self, api: Api, token: dict[str, Any]) -> None:
        headers = api.get(token["url"], BROWSER).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        expected = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
        assert {name: headers[name] for name in expected} == expected
        assert headers["vary"] == "Accept, Accept-Language"

    @pytest.mark.parametrize(
        ("accepted", "language"), [("fr-CA, en;q=0.5", "fr"), ("it, ja;q=0.8, de;q=0.9", "de"), ("it", "en")]
    )
    def test_speaks_the_language_that_the_browser_asks_for(
        self, api: Api, token: dict[str, Any], accepted: str, language: str
    ) -> None:
        answer = api.get(token["url"], {**BROWSER, "accept-language": accepted})
        assert page_of(answer).language == answer.headers["content-language"] == language

    def test_of_a_token_without_a_page_shows_that_it_waits_and_nothing_to_press(self, api: Api) -> None:
        token = api.create(timeout="1d")
        page = opened(api, token)
        assert "This link is for another system" in page.text
        assert "Answer due by" in page.text
        assert has_nothing_to_press(page)
        assert_untouched(api, token)

    def test_after_the_choice_says_what_was_decided_but_not_by_whom_or_with_which_fields(
        self, api: Api, token: dict[str, Any]
    ) -> None:
        assert submit(api, token, {**FITTING, "field.note": "secret-note"}).status == 200
        page = opened(api, token)
        assert "Decided" in page.text
        assert "Approve it was chosen" in page.text
        assert "secret-note" not in page.html
        assert "192.0.2" not in page.html
        assert has_nothing_to_press(page)

    @pytest.mark.parametrize("asked", [APPROVAL, None])
    @pytest.mark.parametrize(
        ("end", "said", "icon"),
        [("failed", "This request was cancelled", "alert"), ("timed out", "The deadline has passed", "clock")],
    )
    def test_of_a_token_that_failed_or_timed_out_says_that_and_no_more(
        self, api: Api, world: World, asked: Any, end: str, said: str, icon: str
    ) -> None:
        token = api.create(timeout="1m", **({"page": asked} if asked else {}))
        if end == "failed":
            api.post(f"{TOKENS}/{token['id']}/complete", {"error": {"message": "secret-reason"}})
        else:
            world.advance(60_000)
        page = opened(api, token)
        assert said in page.text
        assert "ompleted" not in page.text
        assert [shown["class"] for tag, shown in page.tags if tag == "svg"] == [f"icon {icon}"]
        assert "secret-reason" not in page.html
        assert has_nothing_to_press(page)

    def test_of_a_completed_token_without_a_page_says_only_that(self, api: Api) -> None:
        token = api.create()
        api.post(token["url"], {"secret": "of the provider"})
        page = opened(api, token)
        assert "This request has been completed" in page.text
        assert "of the provider" not in page.html
        assert has_nothing_to_press(page)

    def test_with_a_wrong_hash_is_a_page_with_401(self, api: Api, world: World, token: dict[str, Any]) -> None:
        url = token["url"][:-1] + ("0" if token["url"][-1] != "0" else "1")
        answer = is_refused(world, lambda: api.get(url, BROWSER), 401, "This link is not valid")
        assert APPROVAL["title"] not in answer.text

    def test_of_a_removed_token_is_a_page_with_404(self, api: Api, token: dict[str, Any], world: World) -> None:
        submit(api, token)
        world.advance(RETENTION * 1000)
        is_refused(world, lambda: api.get(token["url"], BROWSER), 404, "This link no longer exists")

    def test_that_fails_asks_to_try_again(
        self, api: Api, token: dict[str, Any], monkeypatch: pytest.MonkeyPatch, world: World
    ) -> None:
        monkeypatch.setattr(world.tokens, "retrieve", throttled)
        is_refused(world, lambda: api.get(token["url"], BROWSER), 503, "Please try again")

    @pytest.mark.parametrize("accepted", [None, "*/*", "application/json", "image/avif,image/webp,*/*;q=0.8", ""])
    def test_that_does_not_ask_for_html_is_405_whatever_the_state(
        self, api: Api, world: World, token: dict[str, Any], accepted: str | None
    ) -> None:
        headers = {} if accepted is None else {"accept": accepted}
        for url in (token["url"], api.create()["url"]):
            assert is_refused(world, partial(api.get, url, headers), 405).headers["allow"] == "POST"
        wrong = token["url"][:-4] + "0000"
        is_refused(world, lambda: api.get(wrong, headers), 401, api.post(wrong, b"", headers).error)

    @pytest.mark.parametrize("asked", [APPROVAL, None])
    def test_that_is_a_handshake_is_answered_also_to_a_browser(self, api: Api, asked: Any) -> None:
        token = api.create(**({"page": asked} if asked else {}))
        for headers in (BROWSER, {}):
            answer = api.get(token["url"] + "?challenge=abc_-123", headers)
            assert (answer.status, answer.text) == (200, "abc_-123")
            assert answer.headers["content-type"].startswith("text/plain")
            meta = api.get(token["url"] + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=t", headers)
            assert (meta.status, meta.text) == (200, "1158201444")
        assert_untouched(api, token)


def throttled(*_: Any, **__: Any) -> Any:
    raise TryAgain("AWS throttled")
