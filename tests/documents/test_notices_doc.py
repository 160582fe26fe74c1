"""docs/notices.md: it is short, its create is accepted, and its steps name what the stack reads."""

import json
import re

from tests.support import slack_example
from tests.support.documents import blocks
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tools.stack import ROOT
from waitpoints.api.notices import channels, slack_click

PAGE = (ROOT / "docs" / "notices.md").read_text()
SLACK = PAGE.partition("\n## Slack\n")[2].partition("\n## ")[0]
MOST_WORDS = 960


def test_the_page_stays_short() -> None:
    assert len(PAGE.split()) <= MOST_WORDS


def test_the_create_reaches_its_approvers(api: Api, world: World) -> None:
    create = json.loads(blocks(PAGE, "example")["notify"])
    world.channels |= {"email", "slack"}
    world.channel_secrets |= {channels.SLACK_BOT_TOKEN: FakeSecret("xoxb-a-token")}
    token = api.create(**create)
    assert [link["approver"] for link in token["links"]] == ["ann", "bo@example.com"]
    assert api.retrieve(token["id"])["notify"] == create["notify"]


def test_the_slack_message_is_the_one_that_is_sent() -> None:
    assert slack_example.FILE.read_text() == slack_example.text()


def test_slack_is_set_up_in_eight_steps_with_the_secrets_and_the_route_that_the_stack_reads() -> None:
    assert re.findall(r"^(\d+)\. ", SLACK, re.MULTILINE) == [str(number) for number in range(1, 9)]
    stored = re.findall(r"waitpoints secrets put (\w+) ", SLACK)
    assert stored == [channels.SLACK_BOT_TOKEN, slack_click.SIGNED.secret]
    [path] = re.findall(r"`<ApiUrl>(/\S+)`", SLACK)
    [event] = Template.load({"Slack": "on"}).functions()["answer_slack"].properties["Events"].values()
    assert event["Properties"]["Path"] == path
