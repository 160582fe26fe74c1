"""The session's cookie: whose it is, when it ends, and what a form of its pages sends."""

from dataclasses import replace

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.slack import CachedSecret
from waitpoints.access import sessions
from waitpoints.access.sessions import COOKIE, Sessions
from waitpoints.sign_in import Session, SignedIn

ISSUER, CLIENT, BASE = "https://issuer.example.com", "client", "https://hooks.example.com/"
TOKEN = "waitpoint_01jcn9w6zq0000000000000000"


@pytest.fixture
def key() -> FakeSecret:
    return FakeSecret("a key")


@pytest.fixture
def stack(key: FakeSecret, clock: FakeClock) -> Sessions:
    return Sessions(key, ISSUER, CLIENT, BASE, clock)


@pytest.fixture
def session(clock: FakeClock) -> Session:
    ann = SignedIn(ISSUER, "ann-1", "ann@example.com", clock())
    return Session(sessions.new_id(), ann, "example.com", clock() - 1_000, clock() + 3_600_000)


def cookies(stack: Sessions, session: Session) -> dict[str, str]:
    return dict([stack.begin(session).partition(";")[0].split("=", 1)])


def test_is_read_as_it_began(stack: Sessions, session: Session) -> None:
    assert stack.read(cookies(stack, session)) == session
    assert stack.read({}) is None


def test_is_a_cookie_of_this_host_alone_that_no_script_reads(stack: Sessions, session: Session) -> None:
    text = stack.begin(session)
    assert text.startswith("__Host-")
    assert text.partition("; ")[2] == "Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax"


def test_is_over_at_its_end(stack: Sessions, session: Session, clock: FakeClock) -> None:
    """Whatever the browser does with the cookie."""
    kept = cookies(stack, session)
    clock.advance(milliseconds=3_599_999)
    assert stack.read(kept) == session
    clock.advance(milliseconds=1)
    assert stack.read(kept) is None


@pytest.mark.parametrize(
    "other",
    [
        (FakeSecret("another key"), ISSUER, CLIENT),
        (FakeSecret("a key"), "https://other.example.com", CLIENT),
        (FakeSecret("a key"), ISSUER, "other"),
    ],
    ids=["key", "issuer", "client"],
)
def test_of_another_stack_issuer_or_client_is_none_here(
    stack: Sessions, session: Session, clock: FakeClock, other: tuple[FakeSecret, str, str]
) -> None:
    assert Sessions(*other, BASE, clock).read(cookies(stack, session)) is None


@pytest.mark.parametrize("text", ["", ".", "x", "e30.", "e30.x", "é.é", "\udcff.", "e30"])
def test_what_the_stack_did_not_sign_is_none(stack: Sessions, text: str) -> None:
    assert stack.read({COOKIE: text}) is None


def test_what_was_changed_is_none(stack: Sessions, session: Session) -> None:
    text = cookies(stack, session)[COOKIE]
    content, dot, signature = text.partition(".")
    bobs = cookies(stack, replace(session, signed_in=replace(session.signed_in, subject="bob-1")))[COOKIE]
    assert stack.read({COOKIE: bobs.partition(".")[0] + dot + signature}) is None
    assert stack.read({COOKIE: content + dot + signature[:-1]}) is None


def test_ends_when_the_key_is_rotated(stack: Sessions, session: Session, key: FakeSecret) -> None:
    """Unlike a callback URL, which stays valid through one rotation of its key."""
    kept = cookies(stack, session)
    key.rotate("the next key")
    assert stack.read(kept) is None


def test_begins_with_the_newest_key_and_is_read_by_functions_that_know_the_one_before(
    session: Session, clock: FakeClock
) -> None:
    begins, reads = (Sessions(CachedSecret("one"), ISSUER, CLIENT, BASE, clock) for _ in range(2))
    for one in (begins, reads):
        one._key.rotate("two")  # type: ignore[attr-defined]
    assert reads.read(cookies(begins, session)) == session


class TestAFormsToken:
    def test_is_of_its_session_and_token(self, stack: Sessions, session: Session) -> None:
        text = stack.form_token(session, TOKEN)
        assert stack.is_form_token(text, session, TOKEN)
        for other, token in ((replace(session, id="other"), TOKEN), (session, TOKEN[:-1] + "1")):
            assert not stack.is_form_token(text, other, token)
        assert not stack.is_form_token("", session, TOKEN)

    def test_is_no_session_and_no_session_is_one(self, stack: Sessions, session: Session) -> None:
        kept = cookies(stack, session)[COOKIE]
        assert not stack.is_form_token(kept.partition(".")[2], session, kept.partition(".")[0])
        assert stack.read({COOKIE: f"{TOKEN}.{stack.form_token(session, TOKEN)}"}) is None


def test_a_link_begins_a_sign_in_at_the_stacks_own_address(stack: Sessions) -> None:
    begin = "https://hooks.example.com/api/v1/sign-in?to=%2Fpage%3Fapprover%3Da"
    assert stack.link("/page?approver=a") == begin
    assert stack.link("/page?approver=a", max_age=300_000, other_account=True) == f"{begin}&max_age=300&account=other"
    assert stack.sign_out_url == "https://hooks.example.com/api/v1/sign-out"
