"""The handlers on a world at which people can sign in."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.browser import Browser, Server
from tests.support.in_process.fakes.issuer import CLIENT, SECRET
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.stores import place
from tests.support.in_process.template import SIGN_IN, Template
from tests.support.in_process.world import BASE_URL, World
from waitpoints.access.drafts import Drafts
from waitpoints.access.sessions import Sessions, new_id
from waitpoints.aws.sign_in_rate import SignInRate
from waitpoints.oidc.attempts import Attempts
from waitpoints.oidc.issuer import Issuer
from waitpoints.oidc.redemptions import Redemptions
from waitpoints.sign_in import Session, SignedIn
from waitpoints.wiring import services


def browser_of(
    api: Server,
    subject: str,
    email: str | None = "",
    *,
    domain: str | None = "",
    auth_time: int | None = None,
    claims: tuple[str, ...] = (),
) -> Browser:
    """The browser of a person who has signed in. Empty: they are <subject>@example.com, and of its domain."""
    now, browser, sessions = services.now(), Browser(api), services.sessions
    assert sessions is not None
    address = f"{subject}@example.com" if email == "" else email
    own = (address.partition("@")[2] if address else None) if domain == "" else domain
    signed_in = SignedIn(sessions.issuer, subject, address, now)
    session = Session(new_id(), signed_in, own, auth_time, now + 3_600_000, claims)
    browser.keep(sessions.begin(session))
    return browser


@dataclass
class SignInStack:
    """The handlers on a `world` at which people can sign in, and its secrets."""

    world: World
    api: Api
    session_key: FakeSecret
    client_secret: FakeSecret

    def browser(self) -> Browser:
        return Browser(self.api)

    def browser_of(self, subject: str, email: str | None = "", **more: Any) -> Browser:
        return browser_of(self.api, subject, email, **more)

    @property
    def sessions(self) -> Sessions:
        assert services.sessions is not None
        return services.sessions


def install(world: World, issuer: str, monkeypatch: pytest.MonkeyPatch) -> SignInStack:
    """Let people sign in with an issuer."""
    world.install(monkeypatch)
    monkeypatch.setenv("OIDC_ISSUER", issuer)
    monkeypatch.setenv("OIDC_CLIENT_ID", CLIENT)
    monkeypatch.setenv("OIDC_EMAIL_CLAIM", "email")
    monkeypatch.setenv("SIGN_IN_HOURS", "8")
    key, secret = FakeSecret("the-session-key-of-this-stack-0123456789"), FakeSecret(SECRET)
    for name, built in {
        "sessions": (sessions := Sessions(key, issuer, CLIENT, BASE_URL, world.clock)),
        "drafts": Drafts(key, sessions, world.clock),
        "attempts": Attempts(key, issuer, CLIENT, world.clock),
        "issuer": Issuer(issuer, CLIENT, "openid email", BASE_URL, secret, world.clock),
        "redemptions": Redemptions(world.clock),
        "sign_in_rate": SignInRate(*place(), 5, world.clock),
    }.items():
        monkeypatch.setitem(vars(services), name, built)
    return SignInStack(world, Api(Template.load(SIGN_IN), world.api_key.read_current()), key, secret)
