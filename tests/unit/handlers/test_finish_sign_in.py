"""A browser comes back from the issuer: who is signed in, and which attacks fail."""

import importlib
import io
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import sign_in
from tests.support.fakes.in_memory import BASE_URL, InMemory
from tests.support.in_process.api_gateway import HttpAnswer, http_event
from tests.support.in_process.browser import OTHER_PAGE, PAGE, Browser
from tests.support.in_process.fakes.issuer import ANN, CLIENT, FakeIssuer, Key, issuer
from tests.support.in_process.fakes.secret import MissingSecret
from tests.support.in_process.template import Context
from tests.support.sign_in import SignInStack
from waitpoints.access.sessions import BEGIN, COOKIE, RETURN, SIGN_OUT
from waitpoints.oidc import issuer as issuer_calls
from waitpoints.oidc.redemptions import MOST_REFUSED, PAUSED_FOR, REFUSED_WITHIN, Redemptions
from waitpoints.sign_in import Session, SignedIn
from waitpoints.wiring import services

BOB = {"sub": "bob-1", "email": "bob@example.com", "email_verified": True}


@pytest.fixture
def idp() -> Iterator[FakeIssuer]:
    with issuer() as made:
        yield made


@pytest.fixture
def stack(world: InMemory, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> SignInStack:
    world.clock.advance(milliseconds=int(time.time() * 1000) - world.clock())  # that of the ID tokens
    return sign_in.install(world, idp.url, monkeypatch)


@pytest.fixture
def browser(stack: SignInStack) -> Browser:
    return stack.browser()


def session_of(stack: SignInStack, browser: Browser) -> Session | None:
    return stack.sessions.read(browser.cookies)


def check_refused(stack: SignInStack, browser: Browser, answer: HttpAnswer, status: int = 403) -> None:
    """Nobody is signed in, the attempt is over, and nothing that the issuer wrote is shown."""
    assert (answer.status, COOKIE in browser.cookies) == (status, False), answer
    assert session_of(stack, browser) is None
    assert "location" not in answer.headers
    assert "<b>" not in answer.text
    assert "&lt;b" not in answer.text


class TestAPersonSignsIn:
    def test_and_returns_to_the_page_with_a_session(self, stack: SignInStack, browser: Browser, idp: FakeIssuer) -> None:
        answer = browser.sign_in(idp)
        assert (answer.status, answer.headers["location"]) == (303, f"{BASE_URL}{PAGE}")
        session = session_of(stack, browser)
        assert session is not None
        assert session.signed_in == SignedIn(idp.url, "ann-1", "ann@example.com", stack.sessions._now())
        assert (session.domain, session.auth_time) == ("example.com", None)
        assert set(browser.cookies) == {COOKIE}

    def test_for_a_fraction_of_hours(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """CloudFormation's numbers may have one."""
        monkeypatch.setenv("SIGN_IN_HOURS", "2.5")
        assert browser.sign_in(idp).status == 303
        session = session_of(stack, browser)
        assert session is not None
        assert session.ends_at == stack.sessions._now() + 9_000_000

    def test_with_the_secret_in_the_header_or_the_form(self, stack: SignInStack, browser: Browser, idp: FakeIssuer) -> None:
        idp.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        assert browser.sign_in(idp).status == 303
        assert (idp.forms[-1]["authorization"], "client_secret" in idp.forms[-1]) == ("", True)

    def test_with_a_secret_that_was_replaced_a_moment_ago(self, stack: SignInStack, browser: Browser, idp: FakeIssuer) -> None:
        idp.secret = "next"
        stack.client_secret.rotate("next")
        assert browser.sign_in(idp).status == 303

    @pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
    def test_by_a_token_of_each_algorithm(self, browser: Browser, idp: FakeIssuer, algorithm: str) -> None:
        idp.key = Key("other", algorithm)
        idp.keys.append(idp.key.public)
        assert browser.sign_in(idp).status == 303

    @pytest.mark.parametrize(
        ("claims", "cause"),
        [
            ({"email_verified": False}, "email_unverified"),
            ({"email_verified": None}, "email_unverified"),
            ({"email": None}, "email_missing"),
            ({"email": "ann"}, "email_missing"),
            ({"email": "änn@example.com"}, "email_missing"),
        ],
        ids=str,
    )
    def test_without_an_address_that_counts(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, claims: Any, cause: str, log: io.StringIO
    ) -> None:
        """The log has the cause: the page may ask for a subject, so the sign-in is no failure yet."""
        browser.sign_in(idp, {**ANN, **claims})
        assert f'"signIn":"{cause}"' in log.getvalue()
        session = session_of(stack, browser)
        assert session is not None
        assert (session.signed_in.email, session.signed_in.subject, session.domain) == (None, "ann-1", None)

    def test_with_credentials_that_are_recent_enough(self, stack: SignInStack, browser: Browser, idp: FakeIssuer) -> None:
        led = browser.begin(max_age="300").headers["location"]
        assert parse_qs(urlsplit(led).query)["max_age"] == ["300"]
        assert browser.get(idp.sign_in(led)).status == 303
        session = session_of(stack, browser)
        assert session is not None
        assert session.is_recent(300_000, stack.sessions._now())

    @pytest.mark.parametrize("claims", [{"auth_time": None}, {"auth_time": 1_700_000_000}, {"auth_time": "now"}])
    def test_not_with_credentials_that_are_older_or_of_an_unknown_age(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, claims: dict[str, Any]
    ) -> None:
        led = browser.begin(max_age="300").headers["location"]
        idp.claims = claims
        check_refused(stack, browser, browser.get(idp.sign_in(led)))

    def test_in_two_tabs_and_both_come_back(self, browser: Browser, idp: FakeIssuer) -> None:
        one, other = (browser.begin().headers["location"] for _ in range(2))
        assert [browser.get(idp.sign_in(led)).status for led in (other, one)] == [303, 303]

    def test_as_another_person_who_takes_the_place_of_the_first(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer
    ) -> None:
        browser.sign_in(idp)
        browser.sign_in(idp, BOB)
        session = session_of(stack, browser)
        assert session is not None
        assert session.signed_in.subject == "bob-1"


class TestAnAttack:
    def test_by_a_link_with_the_attackers_code_fails_since_the_browser_began_no_such_sign_in(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer
    ) -> None:
        """Login CSRF: the person would answer in the attacker's name, or enter what the attacker then reads."""
        attackers = stack.browser()
        link = idp.sign_in(attackers.begin().headers["location"], BOB)
        idp.requests.clear()
        check_refused(stack, browser, browser.get(link))
        assert idp.requests == [], "nothing is called before the state is proved"

    def test_by_a_link_with_the_attackers_code_fails_in_a_browser_that_has_begun_a_sign_in_too(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer
    ) -> None:
        own = browser.begin().headers["location"]
        attackers = idp.sign_in(stack.browser().begin().headers["location"], BOB)
        state = parse_qs(urlsplit(own).query)["state"][0]
        check_refused(stack, browser, browser.get(attackers))
        idp.sign_in(own)
        swapped = {**{name: text[0] for name, text in parse_qs(urlsplit(attackers).query).items()}, "state": state}
        check_refused(stack, browser, browser.get(f"{RETURN}?{urlencode(swapped)}"))  # the verifier is not that of the code

    @pytest.mark.parametrize("named", ["https://evil.example.com", None, ""])
    def test_by_another_issuer_in_the_response_fails_before_that_issuer_gets_the_code(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, named: str | None
    ) -> None:
        """Mix-up (RFC 9207): an issuer that says it names itself must."""
        link = idp.sign_in(browser.begin().headers["location"], iss=named)
        check_refused(stack, browser, browser.get(link))
        assert idp.forms == []

    def test_by_a_code_that_was_used_fails_since_the_attempt_is_over(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer
    ) -> None:
        link = idp.sign_in(browser.begin().headers["location"])
        assert browser.get(link).status == 303
        again = browser.get(link)
        assert (again.status, len(idp.forms)) == (403, 1)

    def test_by_a_code_that_was_used_fails_even_with_the_cookies_of_before(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In one environment before the issuer is called, in another one there."""
        link = idp.sign_in(browser.begin().headers["location"])
        cookies = dict(browser.cookies)
        browser.get(link)
        for says, calls in (("was already used", 1), ("invalid_grant", 2)):
            thief = stack.browser()
            thief.cookies = dict(cookies)
            answer = thief.get(link)
            check_refused(stack, thief, answer)
            assert (says in answer.text, len(idp.forms)) == (True, calls)
            monkeypatch.setitem(vars(services), "redemptions", Redemptions(services.now))

    @pytest.mark.parametrize("later", [600_000, 3_600_000])
    def test_by_a_response_that_comes_too_late_fails(
        self, stack: SignInStack, world: InMemory, browser: Browser, idp: FakeIssuer, later: int
    ) -> None:
        link = idp.sign_in(browser.begin().headers["location"])
        world.clock.advance(milliseconds=later)
        check_refused(stack, browser, browser.get(link))
        assert idp.forms == []

    def test_by_a_cookie_that_was_changed_fails(self, stack: SignInStack, browser: Browser, idp: FakeIssuer) -> None:
        link = idp.sign_in(browser.begin().headers["location"])
        [(name, text)] = browser.cookies.items()
        browser.cookies[name] = ("A" if text[0] != "A" else "B") + text[1:]
        check_refused(stack, browser, browser.get(link))

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": "another-client"},
            {"aud": ["another-client"]},
            {"aud": []},
            {"aud": [CLIENT, "another-client"]},
            {"aud": [CLIENT, "another-client"], "azp": "another-client"},
            {"azp": "another-client"},
        ],
        ids=str,
    )
    def test_by_a_token_of_another_client_fails(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, claims: dict[str, Any]
    ) -> None:
        idp.claims = claims
        check_refused(stack, browser, browser.sign_in(idp))

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://evil.example.com"},
            {"nonce": "of-another-sign-in"},
            {"nonce": None},
            {"nonce": 7},
            {"exp": int(time.time()) - 120},
            {"exp": None},
            {"exp": float("inf")},
            {"iat": int(time.time()) + 3_600},
            {"iat": None},
            {"nbf": int(time.time()) + 3_600},
            {"sub": None},
            {"sub": ""},
            {"sub": 7},
            {"sub": "x" * 256},
            {"sub": "\ud800"},
            {"sub": "änn"},
            {"sub": "ann\n"},
        ],
        ids=lambda it: "-".join(f"{name} {type(value).__name__}" for name, value in it.items()),
    )
    def test_by_a_token_that_says_what_it_may_not_fails(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, claims: dict[str, Any]
    ) -> None:
        idp.claims = claims
        check_refused(stack, browser, browser.sign_in(idp))


class TestAStranger:
    """They have the URL of a page, and no account. No other page pays for them."""

    @staticmethod
    def returns(browser: Browser, page: str = PAGE) -> HttpAnswer:
        """Come back with a code that the issuer has not given."""
        led = browser.begin(page).headers["location"]
        return browser.get(f"{RETURN}?code=junk&iss={urlsplit(led).netloc}&{state_of(led)}".replace("iss=", "iss=http://"))

    def test_has_the_issuer_called_once_for_each_sign_in_that_they_begin(self, stack: SignInStack, idp: FakeIssuer) -> None:
        browser = stack.browser()
        led, cookies = browser.begin().headers["location"], dict(browser.cookies)
        for _ in range(200):
            browser.cookies = dict(cookies)
            assert browser.get(f"{RETURN}?code=junk&iss={idp.url}&{state_of(led)}").status == 403
        assert len(idp.forms) == 1

    @pytest.mark.parametrize("fault", [None, (500, b"{}"), (401, b'{"error": "invalid_client"}')], ids=str)
    def test_is_answered_503_for_ten_seconds_after_five_refusals_while_others_sign_in(
        self,
        stack: SignInStack,
        world: InMemory,
        idp: FakeIssuer,
        fault: tuple[int, bytes] | None,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        idp.faults |= {"/token": fault} if fault else {}
        browser = stack.browser()
        refused = 503 if fault and fault[0] == 500 else 403
        assert [self.returns(browser).status for _ in range(MOST_REFUSED)] == [refused] * MOST_REFUSED
        calls = len(idp.forms)
        idp.faults.clear()
        waiting = stack.browser()
        link = idp.sign_in(waiting.begin().headers["location"])
        for answer in (self.returns(browser), waiting.get(link)):
            assert (answer.status, answer.headers["retry-after"], len(idp.forms)) == (503, "10", calls)
        other = stack.browser()
        assert other.get(idp.sign_in(other.begin(OTHER_PAGE).headers["location"])).status == 303
        world.clock.advance(milliseconds=PAUSED_FOR)
        assert waiting.get(link).status == 303, "the same response may come again"
        assert capsys.readouterr().out.count('"RefusedOnPurpose":') == 2 + (MOST_REFUSED if refused == 503 else 0)

    def test_is_answered_503_again_after_one_more_refusal_and_not_after_a_minute(
        self, stack: SignInStack, world: InMemory, idp: FakeIssuer
    ) -> None:
        browser, found = stack.browser(), []
        for _ in range(MOST_REFUSED):
            self.returns(browser)
        for later in (PAUSED_FOR, 0, REFUSED_WITHIN, 0):
            world.clock.advance(milliseconds=later)
            found.append(self.returns(browser).status)
        assert (found, len(idp.forms)) == ([403, 503, 403, 403], MOST_REFUSED + 3)


def state_of(led: str) -> str:
    return urlencode({"state": parse_qs(urlsplit(led).query)["state"][0]})


def test_clocks_may_differ_by_a_minute(browser: Browser, idp: FakeIssuer) -> None:
    idp.claims = {"iat": int(time.time()) + 30, "exp": int(time.time()) - 30}
    assert browser.sign_in(idp).status == 303


def test_a_token_for_several_clients_counts_if_it_says_that_this_one_asked_for_it(browser: Browser, idp: FakeIssuer) -> None:
    idp.claims = {"aud": [CLIENT, "another-client"], "azp": CLIENT}
    assert browser.sign_in(idp).status == 303


class TestKeys:
    def test_that_were_rotated_in_the_middle_are_fetched_again_once_a_minute(
        self, stack: SignInStack, world: InMemory, browser: Browser, idp: FakeIssuer
    ) -> None:
        browser.sign_in(idp)
        idp.key = Key("two")
        idp.keys = [idp.key.public]
        assert browser.sign_in(idp).status == 403
        assert idp.requests.count("/keys") == 1
        world.clock.advance(milliseconds=issuer_calls.REFETCH_AFTER)
        assert browser.sign_in(idp).status == 303
        assert idp.requests.count("/keys") == 2

    def test_of_an_unknown_name_are_not_fetched_more_often(
        self, stack: SignInStack, world: InMemory, browser: Browser, idp: FakeIssuer
    ) -> None:
        browser.sign_in(idp)
        idp.key = Key("unknown")
        world.clock.advance(milliseconds=issuer_calls.REFETCH_AFTER)
        for _ in range(3):
            check_refused(stack, stack.browser(), stack.browser().get("/api/v1/sign-in/return"))
            assert browser.sign_in(idp).status == 403
        assert idp.requests.count("/keys") == 2


class TestAnIssuer:
    def test_that_refuses_is_quoted_only_with_a_standard_code(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer
    ) -> None:
        of_denied = "<p>You, or your organization, did not agree to the sign-in.</p>"
        for code, shown in (("access_denied", of_denied), ("login_required", "response_login_required"), ("<b>evil</b>", "")):
            text = "<b>call 0900 1234</b>"
            link = idp.sign_in(browser.begin().headers["location"], code=None, error=code, error_description=text)
            answer = browser.get(link)
            check_refused(stack, browser, answer)
            assert shown in answer.text
            assert "evil" not in answer.text
            assert "0900" not in answer.text

    def test_that_refuses_leaves_a_link_to_begin_again(self, browser: Browser, idp: FakeIssuer) -> None:
        link = idp.sign_in(browser.begin().headers["location"], code=None, error="access_denied")
        assert f'href="{BASE_URL}/api/v1/sign-in?{urlencode({"to": PAGE})}"' in browser.get(link).text
        assert browser.cookies == {}

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_that_fails_is_tried_again_later(self, stack: SignInStack, browser: Browser, idp: FakeIssuer, status: int) -> None:
        idp.faults["/token"] = status, b"<b>down</b>"
        check_refused(stack, browser, browser.sign_in(idp), 503)
        del idp.faults["/token"]
        assert browser.sign_in(idp).status == 303

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id_token": 7}', b"\xff", b"[" * 100_000])
    def test_that_answers_without_a_token_signs_nobody_in(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, body: bytes
    ) -> None:
        idp.faults["/token"] = 200, body
        check_refused(stack, browser, browser.sign_in(idp), 503)

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "🔑.🔑.🔑"])
    def test_that_sends_another_text_as_token_signs_nobody_in(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, token: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(idp, "token", lambda _: token)
        check_refused(stack, browser, browser.sign_in(idp))

    @pytest.mark.parametrize("path", ["/token", "/keys"])
    def test_that_is_slow_is_given_up(
        self, stack: SignInStack, browser: Browser, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        monkeypatch.setattr(issuer_calls, "PATIENCE", 0.2)
        idp.delays[path] = 20
        check_refused(stack, browser, browser.sign_in(idp), 503)

    def test_that_redirects_is_not_followed(self, stack: SignInStack, browser: Browser, idp: FakeIssuer) -> None:
        led = browser.begin().headers["location"]
        idp.faults["/token"] = 302, b""
        check_refused(stack, browser, browser.get(idp.sign_in(led)))
        assert "/keys" not in idp.requests


def test_while_the_clients_secret_cannot_be_read_the_same_response_may_come_again(
    stack: SignInStack, browser: Browser, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = idp.sign_in(browser.begin().headers["location"])
    with monkeypatch.context() as failing:
        failing.setattr(stack.client_secret, "read_latest", MissingSecret("ThrottlingException").read_latest)
        assert browser.get(link).status == 503
    assert browser.get(link).status == 303


def test_a_client_may_have_no_secret(
    stack: SignInStack, browser: Browser, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    idp.secret = None
    monkeypatch.setattr(stack.client_secret, "read_latest", MissingSecret().read_latest)
    assert browser.sign_in(idp).status == 303
    assert idp.forms[-1]["client_id"] == CLIENT


ODD = st.text(max_size=60) | st.sampled_from(["&", "=", "%00", "%ff", f"state={'x' * 43}&code=x", f"to={PAGE}"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.lists(ODD, max_size=4).map("&".join),
    cookies=st.lists(st.text(max_size=40), max_size=3),
    body=st.binary(max_size=60),
)
def test_no_request_is_answered_500(stack: SignInStack, query: str, cookies: list[str], body: bytes) -> None:
    names = [f"{prefix}{'x' * 16}={text}" for prefix in ("__Host-waitpoints-sign-in-", f"{COOKIE}-") for text in cookies]
    headers = {"accept": "text/html", "sec-fetch-site": "same-origin", "cookie": "; ".join([*cookies, *names])}
    for function, method, route in (
        ("begin_sign_in", "GET", BEGIN),
        ("finish_sign_in", "GET", RETURN),
        ("sign_out", "POST", SIGN_OUT),
    ):
        event = http_event(method, route, query, body, headers, f"{method} {route}", {})
        answer = importlib.import_module(function).handler(event, Context(function))
        assert answer["statusCode"] in (303, 401, 403), answer
        json.dumps(answer).encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,50}", fullmatch=True))
def test_no_cookie_that_the_stack_did_not_sign_is_a_session(stack: SignInStack, text: str) -> None:
    assert stack.sessions.read({COOKIE: text}) is None
