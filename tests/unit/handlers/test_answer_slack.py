"""The route of Slack's clicks. What they do is in the tests of `slack_click`."""

import importlib
import time

import pytest

from tests.support.in_process.api_gateway import http_event
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Context
from tests.support.in_process.world import World
from tests.support.slack import post
from waitpoints.api.http import SLACK_LIMIT
from waitpoints_local.slack_stand_in import SIGNING_SECRET, signed


@pytest.fixture(autouse=True)
def stack(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.install(monkeypatch)
    world.channel_secrets["SLACK_SIGNING_SECRET"] = FakeSecret(SIGNING_SECRET)


def test_takes_no_other_method() -> None:
    event = http_event("GET", "/api/v1/slack", "", b"", {}, "GET /api/v1/slack", {})
    answer = importlib.import_module("answer_slack").handler(event, Context("AnswerSlack"))
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "POST")


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_takes_a_bounded_body(more: int, status: int) -> None:
    size = len(signed({"x": ""}, time.time())[0])
    body, headers = signed({"x": "x" * (SLACK_LIMIT - size + more)}, time.time())
    assert len(body) == SLACK_LIMIT + more
    assert post(body, headers).status == status
