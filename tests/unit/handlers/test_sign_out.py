"""A form of a page ends the session."""

import pytest

from tests.support import sign_in
from tests.support.in_process.browser import PAGE, Browser
from tests.support.in_process.fakes.issuer import FakeIssuer
from tests.support.in_process.world import BASE_URL, World
from tests.support.refusals import is_refused
from waitpoints.access.sessions import COOKIE, SIGN_OUT


@pytest.fixture
def browser(world: World, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = sign_in.install(world, idp.url, monkeypatch).browser()
    browser.sign_in(idp)
    assert COOKIE in browser.cookies
    return browser


def test_ends_the_session_and_returns_to_the_page(browser: Browser) -> None:
    answer = browser.post(SIGN_OUT, {"to": PAGE})
    assert (answer.status, answer.headers["location"]) == (303, f"{BASE_URL}{PAGE}")
    assert browser.cookies == {}


@pytest.mark.parametrize(
    ("target", "site", "status", "says"),
    [
        *((PAGE, site, 403, "Your answer is not needed right now") for site in ("cross-site", "same-site", "none", "")),
        ("https://evil.example.com", "same-origin", 401, "This link is not valid"),
        (f"{PAGE[:-64]}{'0' * 64}", "same-origin", 401, "This link is not valid"),
    ],
)
def test_any_other_form_leaves_the_session(
    world: World, browser: Browser, target: str, site: str, status: int, says: str
) -> None:
    is_refused(world, lambda: browser.post(SIGN_OUT, {"to": target}, **{"sec-fetch-site": site}), status, says)
    assert COOKIE in browser.cookies


def test_no_link_signs_out(browser: Browser) -> None:
    assert browser.get(f"{SIGN_OUT}?to={PAGE}").status == 404
