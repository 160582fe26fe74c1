"""The cookie of what somebody wrote. test_page_account.py has the page that keeps it and shows it again."""

from http.cookies import SimpleCookie

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.secret import FakeSecret
from waitpoints.access import drafts, sessions
from waitpoints.access.drafts import COOKIE, LASTS, MOST, Drafts
from waitpoints.access.sessions import Sessions
from waitpoints.sign_in import Session, SignedIn

TOKEN, OTHER, PATH = "waitpoint_01jcn9w6zq0000000000000000", "waitpoint_01jcn9w6zq0000000000000001", "/page"
VALUES = {"note": ["Größer als <b>", "two"]}


@pytest.fixture
def stack(clock: FakeClock) -> Sessions:
    return Sessions(FakeSecret("a key"), "https://issuer.example.com", "client", "https://hooks.example.com", clock)


@pytest.fixture
def kept(stack: Sessions, clock: FakeClock) -> Drafts:
    return Drafts(FakeSecret("a key"), stack, clock)


def form_token(stack: Sessions, subject: str, clock: FakeClock) -> str:
    who = SignedIn("https://issuer.example.com", subject, None, clock())
    return stack.form_token(Session(sessions.new_id(), who, None, clock(), clock() + 1), TOKEN)


def test_is_for_who_wrote_it_for_its_token_and_for_half_an_hour(stack: Sessions, kept: Drafts, clock: FakeClock) -> None:
    cookie = kept.keep(VALUES, form_token(stack, "ann", clock), TOKEN, PATH)
    assert cookie
    assert "two" not in cookie
    assert cookie.endswith(f"; Max-Age={LASTS // 1000}; Path={PATH}; Secure; HttpOnly; SameSite=Lax")
    cookies = {name: it.value for name, it in SimpleCookie(cookie).items()}
    assert (kept.read(cookies, "ann", TOKEN), kept.read(cookies, "bo", TOKEN)) == (VALUES, None)
    assert (kept.read(cookies, "ann", OTHER), kept.read({}, "ann", TOKEN)) == (None, None)
    assert kept.read({COOKIE: cookies[COOKIE][:-1] + "!"}, "ann", TOKEN) is None
    clock.advance(LASTS)
    assert kept.read(cookies, "ann", TOKEN) is None


@pytest.mark.parametrize("presented", ["", "x", "own.", "own." + "é" * 43])
def test_is_not_kept_for_a_form_of_nobody(kept: Drafts, presented: str) -> None:
    assert kept.keep(VALUES, presented, TOKEN, PATH) is None


def test_is_kept_up_to_the_size_of_a_cookie(stack: Sessions, kept: Drafts, clock: FakeClock) -> None:
    token = form_token(stack, "ann", clock)
    assert kept.keep({"note": ["x" * 20_000]}, token, TOKEN, PATH)  # it is compressed
    assert kept.keep({"note": ["x" * 20_001]}, token, TOKEN, PATH) is None
    assert kept.keep({"note": [sessions.new_id() * (MOST // 10)]}, token, TOKEN, PATH)
    assert kept.keep({"note": ["".join(sessions.new_id() for _ in range(MOST // 10))]}, token, TOKEN, PATH) is None
    assert drafts.end(PATH).startswith(f"{COOKIE}=; Max-Age=0; Path={PATH}; ")
