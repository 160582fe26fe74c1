"""Which sender a channel has, and the links in what it sends."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.fakes.in_memory import BASE_URL, InMemory
from tests.support.in_process.fakes.secret import FakeSecret
from waitpoints.api.notices import channels
from waitpoints.api.notices.plan import Target
from waitpoints.api.page.page_request import parse
from waitpoints.approvers import Approver
from waitpoints.errors import NotSent
from waitpoints.ids import new_id
from waitpoints.notices import Channel
from waitpoints.token import Token
from waitpoints.wiring import services

ANYBODY = parse({"title": "Go?"})[0]
PEOPLE = parse({"title": "Go?", "approvers": ["ann@example.com"]})[0]
ANN = Approver("ann@example.com", email="ann@example.com")
VARIABLES = ("MAIL_FROM", "SLACK", "TEAMS")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    world = InMemory()
    world.install(monkeypatch)
    monkeypatch.setitem(vars(services), "senders", {})
    monkeypatch.setitem(vars(services), "api_url", "https://api.example.com")
    for name in (*VARIABLES, "SLACK_API_URL"):
        monkeypatch.delenv(name, raising=False)
    return world


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the senders are made with. Only their modules know how they send."""
    made: list[tuple[Any, ...]] = []

    def maker(*arguments: Any) -> object:
        made.append(arguments)
        return object()

    for module, name in (("mail", "MailChannel"), ("slack", "SlackChannel"), ("teams", "TeamsChannel")):
        monkeypatch.setitem(sys.modules, f"waitpoints.api.notices.{module}", SimpleNamespace(**{name: maker}))
    return made


def test_a_sender_is_made_once_with_what_its_stack_has(
    world: InMemory, made: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_FROM", "approvals@example.com")
    monkeypatch.setitem(vars(services), "mail_domains", ("example.com",))
    monkeypatch.setenv("SLACK", "on")
    monkeypatch.setenv("TEAMS", "on")
    senders = [channels.sender_of(channel) for channel in Channel]
    assert [channels.sender_of(channel) for channel in Channel] == senders
    mail, slack, teams = made
    monkeypatch.setitem(vars(services), "ses_client", "SES")
    assert (mail[0](), *mail[1:]) == ("SES", "approvals@example.com", services.brand, ("example.com",))
    assert (slack[0], slack[2]) == ("https://slack.com/api", services.brand)
    assert teams == (services.channel_secret, services.brand)


def test_slack_may_be_a_stand_in(world: InMemory, made: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK", "on")
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:4711/api")
    channels.sender_of(Channel.SLACK)
    assert made[0][0] == "http://127.0.0.1:4711/api"


def test_slack_has_buttons_once_there_is_a_signing_secret(
    world: InMemory, made: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK", "on")
    channels.sender_of(Channel.SLACK)
    has_buttons = made[0][3]
    assert not has_buttons()
    world.channel_secrets["SLACK_SIGNING_SECRET"] = FakeSecret("signs")
    assert has_buttons()


@pytest.mark.parametrize("value", [None, "", "off"])
@pytest.mark.parametrize("channel", Channel)
def test_a_channel_that_the_stack_does_not_have_refuses(
    world: InMemory, monkeypatch: pytest.MonkeyPatch, channel: Channel, value: str | None
) -> None:
    for name in VARIABLES if value is not None else ():
        monkeypatch.setenv(name, value or "")
    with pytest.raises(NotSent, match="the stack has no"):
        channels.sender_of(channel)


@pytest.mark.parametrize(
    ("target", "page", "expected"),
    [
        (Target("email.0", Channel.EMAIL, "ann@example.com", ANN), PEOPLE, "own"),
        (Target("slack.0", Channel.SLACK, "U01ANN", ANN), PEOPLE, "own"),
        (Target("slack", Channel.SLACK, "#deploys"), PEOPLE, None),
        (Target("teams", Channel.TEAMS, "TEAMS"), PEOPLE, None),
        (Target("email.0", Channel.EMAIL, "x@example.com"), ANYBODY, "plain"),
        (Target("slack", Channel.SLACK, "#deploys"), ANYBODY, "plain"),
    ],
)
def test_who_can_answer_by_a_link_gets_theirs(world: InMemory, target: Target, page: Any, expected: str | None) -> None:
    token = Token(id=new_id(0), created_at=0)
    links = {"own": world.urls.approver_url(token.id, "", ANN.id), "plain": world.urls.url(token.id, ""), None: None}
    link = channels.link_of(token, target, page)
    assert link == links[expected]
    assert link is None or link.startswith(BASE_URL)
