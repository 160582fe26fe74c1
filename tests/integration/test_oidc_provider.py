"""People sign in with an issuer that others maintain: npm's oidc-provider."""

import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import sign_in
from tests.support.in_process.browser import PAGE
from tests.support.in_process.fakes.issuer import CLIENT, SECRET
from tests.support.in_process.world import BASE_URL, World
from tests.support.oidc_provider import Person, oidc_provider
from tests.support.patience import PATIENCE
from tests.support.sign_in import SignInStack
from waitpoints.access.sessions import RETURN
from waitpoints.oidc import issuer as oidc_issuer
from waitpoints.wiring import services

pytestmark = pytest.mark.slow  # starts a process
REDIRECT_URI = f"{BASE_URL}{RETURN}"


@pytest.fixture(scope="module", params=["client_secret_basic", "client_secret_post"])
def issuer(request: pytest.FixtureRequest) -> Iterator[str]:
    with oidc_provider(REDIRECT_URI, CLIENT, SECRET, request.param) as provider:
        yield provider.url


@pytest.fixture
def signing(issuer: str, monkeypatch: pytest.MonkeyPatch) -> SignInStack:
    monkeypatch.setattr(oidc_issuer, "PATIENCE", PATIENCE)  # a busy machine's issuer takes its time
    world = World()
    world.advance(milliseconds=int(time.time() * 1000) - world.clock())
    return sign_in.install(world, issuer, monkeypatch)


@pytest.mark.parametrize(("who", "counts"), [("ann@example.com", True), ("unverified@example.com", False)])
def test_a_person_signs_in(signing: SignInStack, issuer: str, who: str, counts: bool) -> None:
    browser, person = signing.browser(), Person()
    back = person.sign_in(browser.begin().headers["location"], who, REDIRECT_URI)
    answer = browser.get(back)
    assert (answer.status, answer.headers.get("location")) == (303, f"{BASE_URL}{PAGE}"), answer.text
    session = signing.sessions.read(browser.cookies)
    assert session is not None
    assert (session.signed_in.issuer, session.signed_in.subject) == (issuer, who)
    assert (session.signed_in.email, session.domain) == ((who, "example.com") if counts else (None, None))


def test_recent_credentials_are_asked_for_and_said(signing: SignInStack) -> None:
    browser, person = signing.browser(), Person()
    browser.get(person.sign_in(browser.begin().headers["location"], "ann@example.com", REDIRECT_URI))
    back = person.sign_in(browser.begin(max_age="0").headers["location"], "ann@example.com", REDIRECT_URI)
    assert browser.get(back).status == 303
    session = signing.sessions.read(browser.cookies)
    assert session is not None
    assert session.is_recent(60_000, int(time.time() * 1000))


def test_another_account_is_asked_for(signing: SignInStack) -> None:
    browser, person = signing.browser(), Person()
    browser.get(person.sign_in(browser.begin().headers["location"], "ann@example.com", REDIRECT_URI))
    other = browser.begin(account="other").headers["location"]
    browser.get(person.sign_in(other, "bob@example.com", REDIRECT_URI))
    session = signing.sessions.read(browser.cookies)
    assert session is not None
    assert session.signed_in.subject == "bob@example.com"


def test_a_code_counts_once(signing: SignInStack, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = signing.browser()
    back = Person().sign_in(browser.begin().headers["location"], "ann@example.com", REDIRECT_URI)
    cookies = dict(browser.cookies)
    assert browser.get(back).status == 303
    thief = signing.browser()
    thief.cookies = cookies
    monkeypatch.delitem(vars(services), "redemptions")  # another environment
    answer = thief.get(back)
    assert (answer.status, "invalid_grant" in answer.text) == (403, True)


def test_the_issuer_names_itself(signing: SignInStack, issuer: str) -> None:
    back = Person().sign_in(signing.browser().begin().headers["location"], "ann@example.com", REDIRECT_URI)
    assert parse_qs(urlsplit(back).query)["iss"] == [issuer]
