"""A person signs in without a token's page, and no one who floods these routes keeps others from a page.

With `aws/sign_in_rate`.
"""

import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.support import sign_in
from tests.support.in_process.browser import OTHER_PAGE, PAGE, Browser
from tests.support.in_process.fakes.issuer import ANN, FakeIssuer
from tests.support.in_process.stores import items
from tests.support.in_process.world import BASE_URL, World
from tests.support.races import race
from tests.support.refusals import is_refused
from tests.support.sign_in import SignInStack
from waitpoints.access.sessions import CONSOLE, COOKIE, OWN_BEGIN, OWN_PAGES, OWN_RETURN, RETURN, SIGN_OUT
from waitpoints.aws.sign_in_rate import KEPT_FOR
from waitpoints.errors import SignInsBusy
from waitpoints.wiring import services


@pytest.fixture
def stack(world: World, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> SignInStack:
    world.advance(milliseconds=int(time.time() * 1000) - world.clock())  # that of the ID tokens
    return sign_in.install(world, idp.url, monkeypatch)


@pytest.fixture
def browser(stack: SignInStack) -> Browser:
    return stack.browser()


def junk(browser: Browser, idp: FakeIssuer, returns: str = OWN_RETURN) -> str:
    """Begin without a page. Returns the link of a code that the issuer has not given."""
    led = urlsplit(browser.begin(CONSOLE).headers["location"]).query
    return f"{returns}?{urlencode({'code': 'junk', 'iss': idp.url, 'state': parse_qs(led)['state'][0]})}"


@pytest.mark.parametrize("target", OWN_PAGES)
def test_leads_to_the_issuer_and_back_with_a_session(
    stack: SignInStack, browser: Browser, idp: FakeIssuer, target: str
) -> None:
    led = browser.begin(target).headers["location"]
    assert parse_qs(urlsplit(led).query)["redirect_uri"] == [f"{BASE_URL}{OWN_RETURN}"]
    answer = browser.get(idp.sign_in(led))
    assert (answer.status, answer.headers["location"]) == (303, f"{BASE_URL}{target}")
    session = stack.sessions.read(browser.cookies)
    assert session is not None
    assert (session.signed_in.subject, session.signed_in.issuer) == (ANN["sub"], idp.url)
    assert set(browser.cookies) == {COOKIE}


def test_leads_to_the_console_if_nothing_else_is_named(browser: Browser, idp: FakeIssuer) -> None:
    led = browser.get(OWN_BEGIN).headers["location"]
    assert browser.get(idp.sign_in(led)).headers["location"] == f"{BASE_URL}{CONSOLE}"


@pytest.mark.parametrize("target", ["", "https://evil.example.com/console", "//evil", "/console/", "/console?x", PAGE])
def test_no_link_here_leads_anywhere_else(world: World, browser: Browser, target: str) -> None:
    answer = is_refused(world, lambda: browser.get(f"{OWN_BEGIN}?to={target}"), 401, "This link is not valid")
    assert (answer.cookies, "location" in answer.headers) == ((), False)


def test_a_page_is_not_returned_to_by_the_others_route_nor_the_other_way_round(
    world: World, stack: SignInStack, browser: Browser, idp: FakeIssuer
) -> None:
    """Else what floods one route would count, and be answered, at the other."""
    of_page = browser.begin().headers["location"]
    for link in (junk(browser, idp, RETURN), idp.sign_in(of_page).replace(RETURN, OWN_RETURN)):
        answer = browser.get(link)
        assert (answer.status, "no_attempt" in answer.text) == (403, True)
    assert (idp.forms, stack.sessions.read(browser.cookies), items("sign-ins")) == ([], None, [])


def test_a_form_of_the_console_signs_out_there(browser: Browser, idp: FakeIssuer) -> None:
    browser.sign_in(idp, target=CONSOLE)
    answer = browser.post(SIGN_OUT, {"to": CONSOLE})
    assert (answer.headers["location"], browser.cookies) == (f"{BASE_URL}{CONSOLE}", {})


@pytest.mark.slow
def test_after_two_thousand_junk_codes_a_page_is_signed_in_to_at_the_first_try(
    world: World, stack: SignInStack, browser: Browser, idp: FakeIssuer
) -> None:
    """As fast as the route takes them: its burst of 1,000, then 20 a second. The issuer gets five a second of them."""
    started, reached = world.clock(), dict[int, int]()
    for number in range(2_000):
        if number >= 1_000 and number % 20 == 0:
            world.advance(milliseconds=1_000)
        before = len(idp.forms)
        stranger = stack.browser()
        answer = stranger.get(junk(stranger, idp))
        assert answer.status in (403, 503)
        second = world.clock() // 1000
        reached[second] = reached.get(second, 0) + len(idp.forms) - before
    assert set(reached.values()) == {5}
    assert world.clock() - started == 50_000
    for page in (PAGE, OTHER_PAGE):
        person = stack.browser()
        assert person.sign_in(idp, target=page).headers["location"] == f"{BASE_URL}{page}"


def test_who_comes_when_five_others_did_comes_again_with_the_same_response(
    world: World, stack: SignInStack, browser: Browser, idp: FakeIssuer
) -> None:
    for _ in range(5):
        services.sign_in_rate.count()
    link = idp.sign_in(browser.begin(CONSOLE).headers["location"])
    answer = is_refused(world, lambda: browser.get(link), 503, "Please try again in a moment")
    assert answer.headers["retry-after"] == "1"
    world.advance(milliseconds=1_000)
    assert browser.get(link).status == 303


def test_the_environments_share_a_second_and_ttl_removes_it(world: World, stack: SignInStack) -> None:
    def counts() -> bool:
        try:
            services.sign_in_rate.count()
        except SignInsBusy:
            return False
        return True

    assert sorted(race([counts] * 12)) == [False] * 7 + [True] * 5
    [item] = items("sign-ins")
    assert (item["begun"], item["expiresAt"]) == (5, world.clock() // 1000 + KEPT_FOR)
