"""Sign in at the handlers, with a browser that keeps its cookies."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.fakes.in_memory import BASE_URL, InMemory
from tests.support.fakes.issuer import ANN, CLIENT, SECRET, FakeIssuer
from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import SIGN_IN, Template
from waitpoints.access.sessions import BEGIN, RETURN, Sessions, new_id
from waitpoints.oidc.attempts import Attempts
from waitpoints.oidc.issuer import Issuer
from waitpoints.sign_in import Session, SignedIn
from waitpoints.wiring import services

PAGE = f"/api/v1/waitpoints/tokens/waitpoint_01jcn9w6zq0000000000000000/callback/{'0a' * 32}"


class Server(Protocol):
    def request(self, method: str, url: str, body: str | None, headers: Mapping[str, str]) -> HttpAnswer: ...


class Browser:
    """Keeps cookies as browsers do: each with the attributes that `__Host-` asks for."""

    def __init__(self, api: Server) -> None:
        self._api = api
        self.cookies: dict[str, str] = {}

    def get(self, url: str, **headers: str) -> HttpAnswer:
        return self._send("GET", url, None, headers)

    def post(self, url: str, form: Mapping[str, str], **headers: str) -> HttpAnswer:
        kind = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
        return self._send("POST", url, urlencode(form), kind | headers)

    def begin(self, target: str = PAGE, **query: str) -> HttpAnswer:
        return self.get(f"{BEGIN}?{urlencode({'to': target, **query})}")

    def sign_in(self, issuer: FakeIssuer, person: dict[str, Any] = ANN) -> HttpAnswer:
        return self.get(issuer.sign_in(self.begin().headers["location"], person))

    def _send(self, method: str, url: str, body: str | None, headers: Mapping[str, str]) -> HttpAnswer:
        sent = {"accept": "text/html", **headers}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        parts = urlsplit(url)
        answer = self._api.request(method, f"{parts.path}?{parts.query}", body, sent)
        for text in answer.cookies:
            self.keep(text)
        return answer

    def keep(self, text: str) -> None:
        [(name, cookie)] = SimpleCookie(text).items()
        assert name.startswith("__Host-")
        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Lax")
        assert cookie["secure"]
        assert cookie["httponly"]
        self.cookies[name] = cookie.value
        if cookie["max-age"] == "0":
            del self.cookies[name]


def browser_of(
    api: Server, subject: str, email: str | None = "", *, domain: str | None = "", auth_time: int | None = None
) -> Browser:
    """The browser of a person who has signed in. Empty: they are <subject>@example.com, and of its domain."""
    now, browser, sessions = services.now(), Browser(api), services.sessions
    assert sessions is not None
    address = f"{subject}@example.com" if email == "" else email
    own = (address.partition("@")[2] if address else None) if domain == "" else domain
    signed_in = SignedIn(sessions.issuer, subject, address, now)
    session = Session(new_id(), signed_in, own, auth_time, now + 3_600_000)
    browser.keep(sessions.begin(session))
    return browser


@dataclass
class SignInStack:
    """The handlers on a `world` at which people can sign in, and its secrets."""

    api: Api
    session_key: FakeSecret
    client_secret: FakeSecret

    def browser(self) -> Browser:
        return Browser(self.api)

    def browser_of(
        self, subject: str, email: str | None = "", *, domain: str | None = "", auth_time: int | None = None
    ) -> Browser:
        return browser_of(self.api, subject, email, domain=domain, auth_time=auth_time)

    @property
    def sessions(self) -> Sessions:
        assert services.sessions is not None
        return services.sessions


def install(world: InMemory, issuer: str, monkeypatch: pytest.MonkeyPatch) -> SignInStack:
    """Let people sign in with an issuer."""
    world.install(monkeypatch)
    monkeypatch.setenv("OIDC_ISSUER", issuer)
    monkeypatch.setenv("OIDC_CLIENT_ID", CLIENT)
    monkeypatch.setenv("OIDC_EMAIL_CLAIM", "email")
    monkeypatch.setenv("SIGN_IN_HOURS", "8")
    key, secret = FakeSecret("the-session-key-of-this-stack-0123456789"), FakeSecret(SECRET)
    for name, built in {
        "sessions": Sessions(key, issuer, CLIENT, BASE_URL, world.clock),
        "attempts": Attempts(key, issuer, CLIENT, world.clock),
        "issuer": Issuer(issuer, CLIENT, "openid email", f"{BASE_URL}{RETURN}", secret, world.clock),
    }.items():
        monkeypatch.setitem(vars(services), name, built)
    return SignInStack(Api(Template.load(SIGN_IN), world.api_key.read_current()), key, secret)
