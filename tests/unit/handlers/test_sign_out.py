"""A form of a page ends the session."""

from collections.abc import Iterator

import pytest

from tests.support import sign_in
from tests.support.in_process.browser import PAGE, Browser
from tests.support.in_process.fakes.issuer import issuer
from tests.support.in_process.world import BASE_URL, World
from waitpoints.access.sessions import COOKIE, SIGN_OUT


@pytest.fixture
def browser(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    with issuer() as idp:
        browser = sign_in.install(world, idp.url, monkeypatch).browser()
        browser.sign_in(idp)
        assert COOKIE in browser.cookies
        yield browser


def test_ends_the_session_and_returns_to_the_page(browser: Browser) -> None:
    answer = browser.post(SIGN_OUT, {"to": PAGE})
    assert (answer.status, answer.headers["location"]) == (303, f"{BASE_URL}{PAGE}")
    assert browser.cookies == {}


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_not_for_a_form_of_another_site(browser: Browser, site: str) -> None:
    assert browser.post(SIGN_OUT, {"to": PAGE}, **{"sec-fetch-site": site}).status == 403
    assert COOKIE in browser.cookies


@pytest.mark.parametrize("target", ["https://evil.example.com", f"{PAGE[:-64]}{'0' * 64}"])
def test_leads_only_to_a_page_of_this_stack(browser: Browser, target: str) -> None:
    assert browser.post(SIGN_OUT, {"to": target}).status == 401
    assert COOKIE in browser.cookies


def test_no_link_signs_out(browser: Browser) -> None:
    assert browser.get(f"{SIGN_OUT}?to={PAGE}").status == 404
