"""The console's session: who gets a bearer, and what it opens. Tests `access/operators` and `console/session`."""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from tests.support import sign_in
from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.browser import Browser
from tests.support.in_process.fakes.issuer import ANN, FakeIssuer
from tests.support.in_process.template import CONSOLE, Template
from tests.support.in_process.world import BASE_URL, World
from tests.support.refusals import is_refused
from waitpoints.access.operators import LIFETIME, OPERATE, READ, Role
from waitpoints.access.sessions import CONSOLE_SESSION, COOKIE
from waitpoints.token import iso
from waitpoints.wiring import services

SENT = {"accept": "application/json", "sec-fetch-site": "same-origin", "content-type": "application/json", "origin": BASE_URL}
OPERATORS = Role.of("ann@example.com,  groups=operators", OPERATE, "")
READERS = Role.of("example.org, Support.example.net", READ, "team-a")
PAGE = {"title": "Pay?"}
SIGN_IN = {"signIn": {"domains": ["example.com"]}}
APPROVERS = {"approvers": [{"id": "bob", "email": "bob@example.com"}]}


class Console:
    """A browser at the console of a stack, of which nobody is signed in yet."""

    def __init__(self, world: World, stack: sign_in.SignInStack) -> None:
        self.world, self.stack, self.api = world, stack, Api(Template.load(CONSOLE), world.api_key.read_current())
        self.browser = Browser(self.api)

    def sign_in(self, email: str | None, domain: str | None = "", claims: tuple[str, ...] = ()) -> None:
        self.browser = self.stack.browser_of("subject-1", email, domain=domain, claims=claims)
        self.browser._api = self.api

    def show(self, **headers: str) -> HttpAnswer:
        return self.browser.get(CONSOLE_SESSION, **{**SENT, **headers})

    def trade(self, body: Any = None, **headers: str) -> HttpAnswer:
        sent = {"formToken": self.show().json.get("formToken", "")} if body is None else body
        return self.browser._send("POST", CONSOLE_SESSION, json.dumps(sent), {**SENT, **headers})

    def with_bearer(self, bearer: str) -> Callable[..., HttpAnswer]:
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        return lambda method, path, body=None: self.api.request(method, path, body, headers)

    def call(self) -> Callable[..., HttpAnswer]:
        return self.with_bearer(self.trade().json["bearer"])


@pytest.fixture
def console(world: World, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> Console:
    world.advance(milliseconds=int(time.time() * 1000) - world.clock())
    monkeypatch.setitem(vars(services), "roles", (OPERATORS, READERS))
    return Console(world, sign_in.install(world, idp.url, monkeypatch))


def of(world: World, **body: Any) -> Mapping[str, Any]:
    api = Api(Template.load(), world.api_key.read_current())
    return api.retrieve(api.create(**body)["id"])


@pytest.mark.parametrize(
    ("email", "domain", "scopes"),
    [
        ("ann@example.com", "", OPERATE),
        ("Ann@Example.com", "", OPERATE),
        ("bob@example.org", "", READ),
        ("bob@support.example.net", "", READ),
        ("bob@example.com", "", None),
        ("bob@deep.example.org", "", None),
        ("ann@example.com.example.net", "", None),
        (None, None, None),
        (None, "example.org", READ),  # Google's hd of an account whose address does not count
        ("bob@example.org", None, None),  # an address at Google that is not of the organization
    ],
)
def test_a_role_is_by_address_or_domain(
    console: Console, email: str | None, domain: str | None, scopes: tuple[str, ...] | None
) -> None:
    console.sign_in(email, domain)
    if scopes is None:
        assert "formToken" not in console.show().json
        is_refused(console.world, lambda: console.trade({"formToken": _form_token(console)}), 403, "may not use the console")
    else:
        assert console.show().json["person"] == (email or "subject-1")
        answer = console.trade()
        assert (answer.status, answer.json["scopes"], answer.headers["cache-control"]) == (200, [*scopes], "no-store")
        assert answer.json["expiresAt"] == iso(console.world.clock() + LIFETIME)


def _form_token(console: Console) -> str:
    session = console.stack.sessions.read(console.browser.cookies)
    assert session is not None
    return console.stack.sessions.form_token(session, "console")


@pytest.mark.parametrize(
    ("claim", "may"),
    [
        ("operators", True),
        (["other", "operators"], True),
        ("operators2", False),
        (["Operators"], False),
        (7, False),
        (None, False),
    ],
)
def test_a_role_is_by_a_claim_of_the_sign_in_until_the_parameter_changes(
    console: Console, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch, claim: Any, may: bool
) -> None:
    console.browser.sign_in(idp, {**ANN, "email": "bob@example.com", "groups": claim})
    assert "operators" not in str(console.browser.cookies)
    assert ("formToken" in console.show().json) == may
    if may:
        assert console.trade().json["scopes"] == [*OPERATE]
        monkeypatch.setitem(vars(services), "roles", (Role.of("groups=admins", OPERATE, ""), READERS))
        assert "formToken" not in console.show().json


def test_who_is_not_signed_in_learns_how(console: Console) -> None:
    shown = console.show()
    assert (shown.status, set(shown.json)) == (200, {"signInUrl", "signOutUrl"})
    assert "account" not in shown.json["signInUrl"]
    is_refused(console.world, lambda: console.trade({"formToken": "x"}), 403, "Nobody is signed in")
    console.sign_in("bob@example.com")
    assert "account=other" in console.show().json["signInUrl"]


class TestAnotherSite:
    """Eleven ways to make the console's trade from elsewhere."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none"},
            {"sec-fetch-site": ""},
            {"origin": "https://evil.example.com"},
            {"origin": f"{BASE_URL}.evil.example.com"},
            {"origin": "null"},
            {"origin": ""},
        ],
    )
    def test_is_refused(self, console: Console, headers: dict[str, str]) -> None:
        console.sign_in("ann@example.com")
        is_refused(console.world, lambda: console.trade(**headers), 403, "Only the console of this stack")

    def test_has_no_form_token(self, console: Console) -> None:
        console.sign_in("ann@example.com")
        of_another_session = console.show().json["formToken"]
        console.sign_in("ann@example.com")
        of_a_token = console.stack.sessions.form_token(_session(console), "waitpoint_01jcn9w6zq0000000000000000")
        for form_token in ("", "x", of_another_session, of_a_token, None, 7, ["x"]):
            is_refused(console.world, partial(console.trade, {"formToken": form_token}), 403, "formToken")
        is_refused(console.world, lambda: console.trade([]), 403, "formToken")

    def test_does_not_read_who_is_signed_in(self, console: Console) -> None:
        console.sign_in("ann@example.com")
        is_refused(console.world, lambda: console.show(**{"sec-fetch-site": "cross-site"}), 403, "Only the console")

    def test_no_cookie_opens_the_api(self, console: Console) -> None:
        console.sign_in("ann@example.com")
        for method, path in (("GET", TOKENS), ("POST", TOKENS), ("GET", "/api/v1/keys")):
            assert console.browser._send(method, path, "{}", {**SENT}).status == 401


def _session(console: Console) -> Any:
    return console.stack.sessions.read(console.browser.cookies)


class TestTheBearer:
    def test_ends(self, console: Console) -> None:
        console.sign_in("ann@example.com")
        call = console.call()
        assert call("GET", TOKENS).status == 200
        console.world.advance(milliseconds=LIFETIME)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: console.world.clock() / 1000)
            assert call("GET", TOKENS).status == 401

    def test_ends_with_the_session(self, console: Console) -> None:
        console.sign_in("ann@example.com")
        console.world.advance(milliseconds=3_600_000 - 1)
        assert console.trade().json["expiresAt"] == iso(console.world.clock() + 1)
        console.world.advance(milliseconds=1)
        assert console.trade({"formToken": "x"}).status == 403

    def test_of_another_stack_opens_nothing(self, console: Console) -> None:
        console.sign_in("ann@example.com")
        bearer = console.trade().json["bearer"]
        console.world.api_key.rotate("another")
        console.world.api_key.rotate("and another")
        assert console.with_bearer(bearer)("GET", TOKENS).status == 401
        for changed in (bearer[:-1], bearer + "x", bearer.split(".")[0] + ".", "waitpoints_session_", bearer[:30]):
            assert console.with_bearer(changed)("GET", TOKENS).status == 401

    def test_shows_no_way_to_answer_for_others(self, console: Console) -> None:
        bodies: dict[str, dict[str, Any]] = {
            "plain": {},
            "page": {"page": PAGE},
            "approvers": {"page": {**PAGE, **APPROVERS}},
            "signIn": {"page": {**PAGE, **SIGN_IN}},
        }
        mine = {name: of(console.world, tags=[name], **body) for name, body in bodies.items()}
        console.sign_in("ann@example.com")
        call = console.call()
        shown = {name: call("GET", f"{TOKENS}/{token['id']}").json for name, token in mine.items()}
        assert {name: bool(it["url"]) for name, it in shown.items()} == {
            "plain": True,
            "page": True,
            "approvers": False,
            "signIn": False,
        }
        listed = {it["tags"][0]: bool(it["url"]) for it in call("GET", TOKENS).json["data"]}
        assert listed == {"plain": True, "page": False, "approvers": False, "signIn": False}
        made = call("POST", TOKENS, {"page": {**PAGE, **APPROVERS}})
        more = call(
            "PATCH", f"{TOKENS}/{mine['approvers']['id']}", {"approvers": {"add": [{"id": "eve", "email": "eve@example.com"}]}}
        )
        assert (made.json["url"], more.json["links"]) == ("", {})
        for text in (*map(json.dumps, shown.values()), made.text, more.text):
            assert 'links": {"' not in text
        assert not {"x-trigger-jwt", "x-trigger-jwt-claims"} & set(made.headers)
        console.sign_in("bob@example.org")
        assert call_of_reader(console, mine["plain"]["id"]).status == 403  # it has not the readers' tag

    def test_does_not_end_a_page_with_a_sign_in(self, console: Console) -> None:
        token = of(console.world, page={**PAGE, **SIGN_IN}, timeout="1h")
        console.sign_in("ann@example.com")
        call, body = console.call(), {"data": {"action": "submit"}}
        is_refused(console.world, lambda: call("POST", f"{TOKENS}/{token['id']}/complete", body), 403, "Only who signs in")
        for timeout, status in (("2h", 200), (None, 200), ("3h", 403), ("1s", 403)):
            assert call("PATCH", f"{TOKENS}/{token['id']}", {"timeout": timeout}).status == status

    def test_says_whose_change_it_was(self, console: Console) -> None:
        console.sign_in("ann@example.com")
        call = console.call()
        token = f"{TOKENS}/{call('POST', TOKENS, {}).json['id']}"
        assert call("POST", f"{token}/complete", {"data": 1}).json["settled"]
        shown = call("GET", token).json
        assert (shown["createdBy"], shown["completedBy"]["key"]) == ("ann@example.com", "ann@example.com")

    def test_a_person_without_an_address_is_their_subject(self, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(vars(services), "roles", (Role.of("example.org", OPERATE, ""),))
        console.sign_in(None, "example.org")
        call = console.call()
        made = call("POST", TOKENS, {}).json["id"]
        assert call("GET", f"{TOKENS}/{made}").json["createdBy"] == "subject:subject-1"


def call_of_reader(console: Console, token_id: str) -> HttpAnswer:
    return console.call()("GET", f"{TOKENS}/{token_id}")


def test_a_session_with_claims_is_none_of_an_older_version(console: Console) -> None:
    """0.4.1 reads a cookie by the first purpose, and would fail at a member that it does not know."""
    console.sign_in("ann@example.com", claims=("0123",))
    sessions = console.stack.sessions
    assert _session(console).claims == ("0123",)
    older = type(sessions)(console.stack.session_key, sessions.issuer, "another", BASE_URL, console.world.clock)
    older._purpose = sessions._purpose
    older._purpose_with_claims = older._purpose
    assert older.read(console.browser.cookies) is None
    assert COOKIE in console.browser.cookies
