"""Slack's stand-in, for the tests of what is sent to it and of what comes from it."""

from collections.abc import Iterator

import pytest

from waitpoints_local.slack_stand_in import BOT_TOKEN, Workspace, serving


@pytest.fixture(scope="session")
def slack_server() -> Iterator[Workspace]:
    with serving(channels={"#deploys"}) as workspace:
        yield workspace


@pytest.fixture
def workspace(slack_server: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The stand-in, empty."""
    monkeypatch.setenv("SLACK_API_URL", slack_server.api_url)
    server = slack_server
    for kept in (server.messages, server.private, server.cards, server.calls, server.next_answers):
        kept.clear()
    slack_server.tokens = {BOT_TOKEN}
    slack_server.channels = {"#deploys"}
    return slack_server
