"""A browser comes back from the issuer: who is signed in, and which attacks fail."""

import importlib
import io
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import sign_in
from tests.support.in_process.api_gateway import HttpAnswer, http_event
from tests.support.in_process.browser import OTHER_PAGE, PAGE, Browser
from tests.support.in_process.fakes.issuer import ANN, CLIENT, FakeIssuer, Key
from tests.support.in_process.fakes.secret import MissingSecret
from tests.support.in_process.template import Context
from tests.support.in_process.world import BASE_URL, World
from tests.support.refusals import is_refused
from tests.support.sign_in import SignInStack
from waitpoints.access.sessions import BEGIN, COOKIE, RETURN, SIGN_OUT
from waitpoints.oidc import issuer as issuer_calls
from waitpoints.oidc.redemptions import MOST_REFUSED, PAUSED_FOR, REFUSED_WITHIN, Redemptions
from waitpoints.sign_in import Session, SignedIn
from waitpoints.wiring import services

REDEEMED, REFUSED = ("redeemed",), ("redeemed", "refused")
"""What the stack remembers of a sign-in, whose code it has sent to the issuer."""
BOB = {"sub": "bob-1", "email": "bob@example.com", "email_verified": True}


class SignIn:
    """A browser, and the issuer and the stack that it goes between."""

    def __init__(self, world: World, stack: SignInStack, idp: FakeIssuer) -> None:
        self.world, self.stack, self.idp, self.browser = world, stack, idp, stack.browser()

    def link(self, person: dict[str, Any] = ANN, browser: Browser | None = None, **response: Any) -> str:
        """Begin, and sign in at the issuer. Returns the link with which it sends the browser back."""
        return self.idp.sign_in((browser or self.browser).begin().headers["location"], person, **response)

    def sign_in(self, person: dict[str, Any] = ANN) -> HttpAnswer:
        return self.browser.sign_in(self.idp, person)

    @property
    def session(self) -> Session:
        found = self.stack.sessions.read(self.browser.cookies)
        assert found is not None
        return found

    def refuses(
        self,
        ask: Callable[[], HttpAnswer],
        *says: str,
        status: int = 403,
        begun: tuple[str, ...] = REDEEMED,
        browser: Browser | None = None,
    ) -> HttpAnswer:
        """Nobody is signed in, and nothing that the issuer wrote is shown. `begun` is what the stack remembers of it."""
        answer = is_refused(self.world, ask, status, *says, changes=begun)
        cookies = (browser or self.browser).cookies
        assert (COOKIE in cookies, self.stack.sessions.read(cookies), "location" in answer.headers) == (False, None, False)
        assert "<b>" not in answer.text
        assert "&lt;b" not in answer.text
        return answer


@pytest.fixture
def at(world: World, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> SignIn:
    world.advance(milliseconds=int(time.time() * 1000) - world.clock())  # that of the ID tokens
    return SignIn(world, sign_in.install(world, idp.url, monkeypatch), idp)


class TestAPersonSignsIn:
    def test_and_returns_to_the_page_with_a_session(self, at: SignIn) -> None:
        answer = at.sign_in()
        assert (answer.status, answer.headers["location"]) == (303, f"{BASE_URL}{PAGE}")
        assert at.session.signed_in == SignedIn(at.idp.url, "ann-1", "ann@example.com", at.world.clock())
        assert (at.session.domain, at.session.auth_time) == ("example.com", None)
        assert set(at.browser.cookies) == {COOKIE}

    def test_for_a_fraction_of_hours(self, at: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
        """CloudFormation's numbers may have one."""
        monkeypatch.setenv("SIGN_IN_HOURS", "2.5")
        assert at.sign_in().status == 303
        assert at.session.ends_at == at.world.clock() + 9_000_000

    def test_with_the_secret_in_the_form(self, at: SignIn) -> None:
        at.idp.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        assert at.sign_in().status == 303
        assert (at.idp.forms[-1]["authorization"], "client_secret" in at.idp.forms[-1]) == ("", True)

    def test_with_a_secret_that_was_replaced_a_moment_ago(self, at: SignIn) -> None:
        at.idp.secret = "next"
        at.stack.client_secret.rotate("next")
        assert at.sign_in().status == 303

    def test_without_a_secret_if_the_client_has_none(self, at: SignIn) -> None:
        at.idp.secret = None
        with patch.object(at.stack.client_secret, "read_latest", MissingSecret().read_latest):
            assert at.sign_in().status == 303
        assert at.idp.forms[-1]["client_id"] == CLIENT

    @pytest.mark.parametrize(
        ("claims", "cause"), [({"email_verified": None}, "email_unverified"), ({"email": "ann"}, "email_missing")]
    )
    def test_without_an_address_that_counts(self, at: SignIn, claims: Any, cause: str, log: io.StringIO) -> None:
        """The log has the cause: the page may ask for a subject, so the sign-in is no failure yet."""
        at.sign_in({**ANN, **claims})
        assert f'"signIn":"{cause}"' in log.getvalue()
        assert (at.session.signed_in.email, at.session.signed_in.subject, at.session.domain) == (None, "ann-1", None)

    def test_with_credentials_that_are_recent_enough(self, at: SignIn) -> None:
        led = at.browser.begin(max_age="300").headers["location"]
        assert parse_qs(urlsplit(led).query)["max_age"] == ["300"]
        assert at.browser.get(at.idp.sign_in(led)).status == 303
        assert at.session.is_recent(300_000, at.world.clock())

    @pytest.mark.parametrize("claims", [{"auth_time": None}, {"auth_time": 1_700_000_000}, {"auth_time": "now"}])
    def test_not_with_credentials_that_are_older_or_of_an_unknown_age(self, at: SignIn, claims: dict[str, Any]) -> None:
        led = at.browser.begin(max_age="300").headers["location"]
        at.idp.claims = claims
        link = at.idp.sign_in(led)
        at.refuses(lambda: at.browser.get(link), "auth_time")

    def test_in_two_tabs_and_both_come_back(self, at: SignIn) -> None:
        one, other = at.link(), at.link()
        assert [at.browser.get(link).status for link in (other, one)] == [303, 303]

    def test_as_another_person_who_takes_the_place_of_the_first(self, at: SignIn) -> None:
        at.sign_in()
        at.sign_in(BOB)
        assert at.session.signed_in.subject == "bob-1"

    @pytest.mark.parametrize("claims", [{"iat": 30, "exp": -30}, {"aud": [CLIENT, "another-client"], "azp": CLIENT}], ids=str)
    def test_with_a_token_that_is_just_within(self, at: SignIn, claims: dict[str, Any]) -> None:
        """Clocks may differ by less than a minute. For several clients, it says that this one asked for it."""
        now = int(time.time())
        at.idp.claims = {name: now + value if isinstance(value, int) else value for name, value in claims.items()}
        assert at.sign_in().status == 303


class TestAnAttack:
    def test_by_a_link_with_the_attackers_code_fails_since_the_browser_began_no_such_sign_in(self, at: SignIn) -> None:
        """Login CSRF: the person would answer in the attacker's name, or enter what the attacker then reads."""
        link = at.link(BOB, at.stack.browser())
        at.idp.requests.clear()
        at.refuses(lambda: at.browser.get(link), "no_attempt", begun=())
        assert at.idp.requests == [], "nothing is called before the state is proved"

    def test_by_a_link_with_the_attackers_code_fails_in_a_browser_that_has_begun_a_sign_in_too(self, at: SignIn) -> None:
        own = at.browser.begin().headers["location"]
        attackers = at.link(BOB, at.stack.browser())
        at.refuses(lambda: at.browser.get(attackers), "no_attempt", begun=())
        at.idp.sign_in(own)
        swapped = dict(parse_qsl(urlsplit(attackers).query)) | dict(parse_qsl(state_of(own)))
        link = f"{RETURN}?{urlencode(swapped)}"
        at.refuses(lambda: at.browser.get(link), "invalid_grant", begun=REFUSED)  # the verifier is not that of the code

    @pytest.mark.parametrize("named", ["https://evil.example.com", None, ""])
    def test_by_another_issuer_in_the_response_fails_before_that_issuer_gets_the_code(
        self, at: SignIn, named: str | None
    ) -> None:
        """Mix-up (RFC 9207): an issuer that says it names itself must."""
        link = at.link(iss=named)
        at.refuses(lambda: at.browser.get(link), "other_issuer", begun=())
        assert at.idp.forms == []

    def test_by_a_code_that_was_used_fails_since_the_attempt_is_over(self, at: SignIn) -> None:
        link = at.link()
        assert at.browser.get(link).status == 303
        assert (at.browser.get(link).status, len(at.idp.forms)) == (403, 1)

    def test_by_a_code_that_was_used_fails_even_with_the_cookies_of_before(
        self, at: SignIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In one environment before the issuer is called, in another one there."""
        link, cookies = at.link(), dict(at.browser.cookies)
        at.browser.get(link)
        for says, calls, begun in (("was already used", 1, ()), ("invalid_grant", 2, REFUSED)):
            thief = at.stack.browser()
            thief.cookies = dict(cookies)
            at.refuses(partial(thief.get, link), says, begun=begun, browser=thief)
            assert len(at.idp.forms) == calls
            monkeypatch.setitem(vars(services), "redemptions", Redemptions(services.now))

    @pytest.mark.parametrize("later", [600_000, 3_600_000])
    def test_by_a_response_that_comes_too_late_fails(self, at: SignIn, later: int) -> None:
        link = at.link()
        at.world.advance(milliseconds=later)
        at.refuses(lambda: at.browser.get(link), "no_attempt", begun=())
        assert at.idp.forms == []

    def test_by_a_cookie_that_was_changed_fails(self, at: SignIn) -> None:
        link = at.link()
        [(name, text)] = at.browser.cookies.items()
        at.browser.cookies[name] = ("A" if text[0] != "A" else "B") + text[1:]
        at.refuses(lambda: at.browser.get(link), "no_attempt", begun=())

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"aud": "another-client"}, "token_InvalidAudienceError"),
            ({"aud": ["another-client"]}, "token_InvalidAudienceError"),
            ({"aud": [CLIENT, "another-client"]}, "token_party"),
            ({"aud": [CLIENT, "another-client"], "azp": "another-client"}, "token_party"),
            ({"azp": "another-client"}, "token_party"),
            ({"iss": "https://evil.example.com"}, "token_InvalidIssuerError"),
            *(({"nonce": nonce}, "token_nonce") for nonce in ("of-another-sign-in", None, 7)),
            ({"exp": int(time.time()) - 120}, "token_ExpiredSignatureError"),
            ({"exp": float("inf")}, "token_DecodeError"),
            *(({name: int(time.time()) + 3_600}, "token_ImmatureSignatureError") for name in ("iat", "nbf")),
            ({"aud": []}, "token_MissingRequiredClaimError"),
            *(({name: None}, "token_MissingRequiredClaimError") for name in ("exp", "iat", "sub")),
            ({"sub": 7}, "token_InvalidSubjectError"),
            *(({"sub": subject}, "token_subject") for subject in ("", "x" * 256, "\ud800", "änn", "ann\n")),
        ],
        ids=lambda it: it if isinstance(it, str) else "-".join(f"{name} {type(value).__name__}" for name, value in it.items()),
    )
    def test_by_a_token_of_another_client_or_that_says_what_it_may_not_fails(
        self, at: SignIn, claims: dict[str, Any], reason: str
    ) -> None:
        at.idp.claims = claims
        at.refuses(at.sign_in, reason)


class TestAStranger:
    """They have the URL of a page, and no account. No other page pays for them."""

    @staticmethod
    def returns(browser: Browser, page: str = PAGE) -> HttpAnswer:
        """Come back with a code that the issuer has not given."""
        led = browser.begin(page).headers["location"]
        return browser.get(f"{RETURN}?code=junk&iss={urlsplit(led).netloc}&{state_of(led)}".replace("iss=", "iss=http://"))

    def test_has_the_issuer_called_once_for_each_sign_in_that_they_begin(self, at: SignIn) -> None:
        browser = at.browser
        led, cookies = browser.begin().headers["location"], dict(browser.cookies)
        for _ in range(200):
            browser.cookies = dict(cookies)
            assert browser.get(f"{RETURN}?code=junk&iss={at.idp.url}&{state_of(led)}").status == 403
        assert len(at.idp.forms) == 1

    @pytest.mark.parametrize("fault", [None, (500, b"{}"), (401, b'{"error": "invalid_client"}')], ids=str)
    def test_is_answered_503_for_ten_seconds_after_five_refusals_while_others_sign_in(
        self, at: SignIn, fault: tuple[int, bytes] | None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        idp, browser = at.idp, at.browser
        idp.faults |= {"/token": fault} if fault else {}
        refused = 503 if fault and fault[0] == 500 else 403
        assert [self.returns(browser).status for _ in range(MOST_REFUSED)] == [refused] * MOST_REFUSED
        calls = len(idp.forms)
        idp.faults.clear()
        waiting = at.stack.browser()
        link = at.link(browser=waiting)
        for answer in (self.returns(browser), waiting.get(link)):
            assert (answer.status, answer.headers["retry-after"], len(idp.forms)) == (503, "10", calls)
        other = at.stack.browser()
        assert other.get(idp.sign_in(other.begin(OTHER_PAGE).headers["location"])).status == 303
        at.world.advance(milliseconds=PAUSED_FOR)
        assert waiting.get(link).status == 303, "the same response may come again"
        assert capsys.readouterr().out.count('"RefusedOnPurpose":') == 2 + (MOST_REFUSED if refused == 503 else 0)

    def test_is_answered_503_again_after_one_more_refusal_and_not_after_a_minute(self, at: SignIn) -> None:
        found = []
        for _ in range(MOST_REFUSED):
            self.returns(at.browser)
        for later in (PAUSED_FOR, 0, REFUSED_WITHIN, 0):
            at.world.advance(milliseconds=later)
            found.append(self.returns(at.browser).status)
        assert (found, len(at.idp.forms)) == ([403, 503, 403, 403], MOST_REFUSED + 3)


def state_of(led: str) -> str:
    return urlencode({"state": parse_qs(urlsplit(led).query)["state"][0]})


@pytest.mark.parametrize("is_published", [True, False])
def test_keys_that_are_unknown_are_fetched_again_once_a_minute(at: SignIn, is_published: bool) -> None:
    """As after a rotation in the middle."""
    at.sign_in()
    at.idp.key = Key("two")
    if is_published:
        at.idp.keys = [at.idp.key.public]
    for status, fetched in ((403, 1), (303 if is_published else 403, 2)):
        assert ({at.sign_in().status for _ in range(3)}, at.idp.requests.count("/keys")) == ({status}, fetched)
        at.world.advance(milliseconds=issuer_calls.REFETCH_AFTER)


class TestAnIssuer:
    def test_that_refuses_is_quoted_only_with_a_standard_code_and_leaves_a_link_to_begin_again(self, at: SignIn) -> None:
        of_denied = "<p>You or your organization declined the sign-in.</p>"
        for code, shown in (("access_denied", of_denied), ("login_required", "response_login_required"), ("<b>evil</b>", "")):
            link = at.link(code=None, error=code, error_description="<b>call 0900 1234</b>")
            answer = at.refuses(partial(at.browser.get, link), begun=())
            assert shown in answer.text
            assert not any(text in answer.text for text in ("evil", "0900"))
            assert f'href="{BASE_URL}/api/v1/sign-in?{urlencode({"to": PAGE})}"' in answer.text
            assert at.browser.cookies == {}

    @pytest.mark.parametrize(
        ("fault", "status", "begun"),
        [
            *(((status, b"<b>down</b>"), 503, REFUSED) for status in (429, 500, 503)),
            *(((200, body), 503, REFUSED) for body in (b"", b"[]", b"{}", b'{"id_token": 7}', b"\xff", b"[" * 100_000)),
            *(
                ((200, b'{"id_token": "%s"}' % token), 403, REDEEMED)
                for token in (b"", b"x", b"a.b.c", b"e30.e30.", b"eyJhbGciOiJub25lIn0.e30.")
            ),
            ((302, b""), 403, REFUSED),
        ],
        ids=lambda it: str(it)[:30],
    )
    def test_that_fails_or_sends_no_token_signs_nobody_in_and_may_be_tried_again(
        self, at: SignIn, fault: tuple[int, bytes], status: int, begun: tuple[str, ...]
    ) -> None:
        at.idp.faults["/token"] = fault
        at.refuses(at.sign_in, status=status, begun=begun)
        assert "/keys" not in at.idp.requests or status == 403
        del at.idp.faults["/token"]
        assert at.sign_in().status == 303

    @pytest.mark.parametrize(("path", "begun"), [("/token", REFUSED), ("/keys", REDEEMED)])
    def test_that_is_slow_is_given_up(
        self, at: SignIn, monkeypatch: pytest.MonkeyPatch, path: str, begun: tuple[str, ...]
    ) -> None:
        monkeypatch.setattr(issuer_calls, "PATIENCE", 0.2)
        at.idp.delays[path] = 20
        at.refuses(at.sign_in, status=503, begun=begun)


def test_while_the_clients_secret_cannot_be_read_the_same_response_may_come_again(at: SignIn) -> None:
    link = at.link()
    with patch.object(at.stack.client_secret, "read_latest", MissingSecret("ThrottlingException").read_latest):
        assert at.browser.get(link).status == 503
    assert at.browser.get(link).status == 303


ODD = st.text(max_size=60) | st.sampled_from(["&", "=", "%00", "%ff", f"state={'x' * 43}&code=x", f"to={PAGE}"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.lists(ODD, max_size=4).map("&".join),
    cookies=st.lists(st.text(max_size=40), max_size=3),
    body=st.binary(max_size=60),
)
def test_no_request_is_answered_500(at: SignIn, query: str, cookies: list[str], body: bytes) -> None:
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
