"""Which channel sends, with what, and the links in what it sends."""

from typing import Any

import pytest

from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.world import BASE_URL, World
from waitpoints.api.notices import channels
from waitpoints.api.notices.mail import MailChannel
from waitpoints.api.notices.plan import Notice, NoticeKind, Target
from waitpoints.api.notices.slack import SlackChannel
from waitpoints.api.notices.teams import TeamsChannel
from waitpoints.api.page.page_checks import parse
from waitpoints.approvers import Approver
from waitpoints.errors import NotSent
from waitpoints.ids import new_id
from waitpoints.notices import Channel, NoticeRecord
from waitpoints.token import Token
from waitpoints.wiring import services

ANYBODY = parse({"title": "Go?"})[0]
PEOPLE = parse({"title": "Go?", "approvers": ["ann@example.com"]})[0]
CLIENT = ("https://issuer.example.com", "client")
SIGNED_IN = parse({"title": "Go?", "approvers": ["ann@example.com"], "signIn": True}, CLIENT)[0]
DOMAIN = parse({"title": "Go?", "signIn": {"domains": ["example.com"]}}, CLIENT)[0]
ANN = Approver("ann@example.com", email="ann@example.com")
VARIABLES = {Channel.EMAIL: "MAIL_FROM", Channel.SLACK: "SLACK", Channel.TEAMS: "TEAMS"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    world.install(monkeypatch)
    monkeypatch.setitem(vars(services), "api_url", "https://api.example.com")
    monkeypatch.setenv("MAIL_FROM", "approvals@example.com")
    monkeypatch.delenv("SLACK_API_URL", raising=False)
    world.channels.update(Channel)
    return world


@pytest.mark.usefixtures("world")
def test_each_channel_sends_for_its_stack() -> None:
    found = [type(channels.channel_of(channel)) for channel in Channel]
    assert found == [MailChannel, SlackChannel, TeamsChannel]
    assert (services.mail_from, services.slack_api_url) == ("approvals@example.com", "https://slack.com/api")


@pytest.mark.usefixtures("world")
def test_slack_may_be_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:4711/api")
    assert services.slack_api_url == "http://127.0.0.1:4711/api"


def test_slack_has_buttons_once_there_is_a_signing_secret(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr("waitpoints.api.notices.slack.SlackChannel", lambda *arguments: made.extend(arguments))
    channels.channel_of(Channel.SLACK)
    assert not made[3]()
    world.channel_secrets["SLACK_SIGNING_SECRET"] = FakeSecret("signs")
    assert made[3]()


@pytest.mark.parametrize("channel", Channel)
def test_a_channel_that_the_stack_does_not_have_refuses(world: World, channel: Channel) -> None:
    world.channels.discard(channel)
    with pytest.raises(NotSent, match=f"the stack has no {VARIABLES[channel]}"):
        channels.channel_of(channel)


@pytest.mark.parametrize(
    ("target", "page", "expected"),
    [
        (Target("email.0", Channel.EMAIL, "ann@example.com", ANN), PEOPLE, "own"),
        (Target("slack.0", Channel.SLACK, "U01ANN", ANN), PEOPLE, "own"),
        (Target("slack", Channel.SLACK, "#deploys"), PEOPLE, None),
        (Target("teams", Channel.TEAMS, "TEAMS"), PEOPLE, None),
        (Target("email.0", Channel.EMAIL, "x@example.com"), ANYBODY, "plain"),
        (Target("slack", Channel.SLACK, "#deploys"), ANYBODY, "plain"),
        (Target("email.0", Channel.EMAIL, "ann@example.com", ANN), SIGNED_IN, "plain"),
        (Target("slack.0", Channel.SLACK, "U01ANN", ANN), SIGNED_IN, "plain"),
        (Target("slack", Channel.SLACK, "#deploys"), SIGNED_IN, "plain"),
        (Target("teams", Channel.TEAMS, "TEAMS"), SIGNED_IN, "plain"),
        (Target("email.0", Channel.EMAIL, "x@example.com"), DOMAIN, "plain"),
    ],
)
def test_who_can_answer_by_a_link_gets_theirs(world: World, target: Target, page: Any, expected: str | None) -> None:
    token = Token(id=new_id(0), created_at=0)
    links = {"own": world.urls.url(token.id, "", ANN.id), "plain": world.urls.url(token.id, ""), None: None}
    kinds = (NoticeKind.FIRST, NoticeKind.REMINDER, NoticeKind.LAST, NoticeKind.EDIT)
    [link] = {channels.link_of(Notice(kind, target, NoticeRecord(0), token, page)) for kind in kinds}
    assert link == links[expected]
    assert link is None or link.startswith(BASE_URL)
    assert channels.link_of(Notice(NoticeKind.OUTCOME, target, NoticeRecord(0), token, page)) is None
