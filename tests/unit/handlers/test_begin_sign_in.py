"""A link leads a browser to the issuer."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.support import sign_in
from tests.support.in_process.browser import OTHER_PAGE, PAGE, Browser
from tests.support.in_process.fakes.issuer import CLIENT, FakeIssuer
from tests.support.in_process.world import BASE_URL, World
from tests.support.refusals import is_refused
from tests.support.sign_in import SignInStack
from waitpoints.access.sessions import BEGIN, RETURN
from waitpoints.oidc import issuer as issuer_calls
from waitpoints.oidc.attempts import MOST
from waitpoints.oidc.issuer import FAILED_FOR, KEPT_FOR


@pytest.fixture
def stack(world: World, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> SignInStack:
    return sign_in.install(world, idp.url, monkeypatch)


@pytest.fixture
def browser(stack: SignInStack) -> Browser:
    return stack.browser()


def led(browser: Browser, **query: str) -> dict[str, str]:
    """The parameters with which the issuer is called."""
    answer = browser.begin(**query)
    assert answer.status == 303
    found = parse_qs(urlsplit(answer.headers["location"]).query)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def test_leads_to_the_issuer_with_a_challenge(browser: Browser, idp: FakeIssuer) -> None:
    sent = led(browser)
    assert {name: sent[name] for name in ("response_type", "client_id", "scope", "code_challenge_method")} == {
        "response_type": "code",
        "client_id": CLIENT,
        "scope": "openid email",
        "code_challenge_method": "S256",
    }
    assert {len(sent[name]) for name in ("state", "nonce", "code_challenge")} == {43}
    assert sent.keys() & {"prompt", "max_age"} == set()


def test_says_nothing_of_the_page_to_the_issuer_or_by_the_referrer(browser: Browser) -> None:
    answer = browser.begin()
    assert "waitpoint" not in answer.headers["location"].replace(CLIENT, "")
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")


def test_the_issuer_returns_to_the_stacks_own_address_whatever_the_request_says(browser: Browser) -> None:
    answer = browser.get(f"/api/v1/sign-in?to={PAGE}&redirect_uri=https://evil.example.com", host="evil.example.com")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["redirect_uri"] == [f"{BASE_URL}{RETURN}"]


def test_asks_for_another_account(browser: Browser, idp: FakeIssuer) -> None:
    assert led(browser, account="other")["prompt"] == "login"


def test_lets_an_issuer_that_can_show_the_accounts(browser: Browser, idp: FakeIssuer) -> None:
    idp.metadata["prompt_values_supported"] = ["none", "login", "select_account"]
    assert led(browser, account="other")["prompt"] == "select_account"


@pytest.mark.parametrize(("given", "sent"), [("300", "300"), ("0", "0"), ("-1", None), ("5m", None), ("9" * 9, None)])
def test_asks_for_recent_credentials(browser: Browser, given: str, sent: str | None) -> None:
    assert led(browser, max_age=given).get("max_age") == sent


def test_keeps_the_query_of_the_issuers_address(browser: Browser, idp: FakeIssuer) -> None:
    idp.metadata["authorization_endpoint"] += "?tenant=1"
    assert led(browser)["tenant"] == "1"


@pytest.mark.parametrize(
    "target",
    [
        "",
        "https://evil.example.com/",
        "//evil.example.com/",
        "/\\evil.example.com",
        f"https://evil.example.com{PAGE}",
        f"@evil.example.com{PAGE}",
        f".evil.example.com{PAGE}",
        f"{PAGE}/../../../../../console",
        f"{PAGE}#x",
        f"{PAGE}?next=https://evil.example.com",
        f"{PAGE}?approver=ann",
        f"{PAGE}\n",
        f"{PAGE}\r\nset-cookie: a=b",
        "/console",
        "/api/v1/sign-in",
        f"{PAGE[:-64]}{'0' * 64}",
        f"{PAGE[:-64]}{OTHER_PAGE[-64:]}",
    ],
)
def test_no_link_here_leads_to_another_site_or_to_anything_but_a_page(world: World, browser: Browser, target: str) -> None:
    """An open redirect would lend the stack's name to any site, which could ask for a password. No URL, no cookie."""
    answer = is_refused(world, lambda: browser.get(f"{BEGIN}?{urlencode({'to': target})}"), 401, "This link is not valid")
    assert (answer.cookies, "location" in answer.headers) == ((), False)


def test_a_parameter_that_comes_twice_counts_for_nothing(world: World, browser: Browser) -> None:
    is_refused(world, lambda: browser.get(f"{BEGIN}?to={PAGE}&to={PAGE}"), 401)


def test_a_browser_has_at_most_five_attempts_and_loses_the_oldest(world: World, browser: Browser) -> None:
    browser.cookies[f"__Host-waitpoints-sign-in-{'x' * 16}"] = "forged"
    states = []
    for _ in range(MOST + 2):
        states.append(led(browser)["state"][:16])
        world.advance(milliseconds=1)
    assert [name.removeprefix("__Host-waitpoints-sign-in-") for name in browser.cookies] == states[-MOST:]


class TestAnIssuer:
    def test_is_asked_what_it_is_once_in_a_while(self, world: World, browser: Browser, idp: FakeIssuer) -> None:
        for _ in range(3):
            browser.begin()
        assert idp.requests == ["/.well-known/openid-configuration"]
        world.advance(milliseconds=KEPT_FOR)
        browser.begin()
        assert len(idp.requests) == 2

    @pytest.mark.parametrize("fault", [(500, b""), (404, b"{}"), (302, b""), (200, b"[]"), (200, b"{"), (200, b" " * 300_000)])
    def test_that_fails_is_not_called_for_each_request(
        self, world: World, browser: Browser, idp: FakeIssuer, fault: tuple[int, bytes], capsys: pytest.CaptureFixture[str]
    ) -> None:
        idp.faults["/.well-known/openid-configuration"] = fault
        answers = [browser.begin() for _ in range(3)]
        assert [(answer.status, answer.cookies) for answer in answers] == [(503, ())] * 3
        assert f'href="{BASE_URL}/api/v1/sign-in?{urlencode({"to": PAGE})}"' in answers[0].text
        assert len(idp.requests) == 1
        idp.faults.clear()
        world.advance(milliseconds=FAILED_FOR)
        assert browser.begin().status == 303
        assert capsys.readouterr().out.count('"RefusedOnPurpose":') == 3

    def test_that_is_slow_is_given_up(
        self, world: World, browser: Browser, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(issuer_calls, "PATIENCE", 0.2)
        idp.delays["/.well-known/openid-configuration"] = 20
        is_refused(world, browser.begin, 503)

    def test_that_is_down_is_named_to_no_one(self, world: World, browser: Browser, idp: FakeIssuer) -> None:
        idp.end()
        assert "127.0.0.1" not in is_refused(world, browser.begin, 503).text

    @pytest.mark.parametrize(
        ("members", "reason"),
        [
            *(({"issuer": url}, "other_issuer") for url in ("https://evil.example.com", "http://127.0.0.1")),
            *(({"token_endpoint": url}, "token_endpoint") for url in ("http://example.com/token", "http://127.0.0.1:1/token")),
            *(
                ({"authorization_endpoint": url}, "authorization_endpoint")
                for url in (
                    "javascript:alert(1)",
                    "https://example.com/\r\nset-cookie: a=b",
                    "https://example.com/#",
                    "https://example.com/?response_type=token",
                    "https://example.com/?tenant=1&state=",
                )
            ),
            ({"jwks_uri": None}, "jwks_uri"),
            ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "id_token_signing_alg_values_supported"),
            ({"response_types_supported": ["id_token"]}, "response_types_supported"),
            ({"code_challenge_methods_supported": ["plain"]}, "code_challenge_methods_supported"),
        ],
        ids=str,
    )
    def test_that_says_what_it_may_not_leads_nowhere(
        self, world: World, browser: Browser, idp: FakeIssuer, members: dict[str, object], reason: str
    ) -> None:
        idp.metadata |= members
        is_refused(world, browser.begin, 503, reason)
