"""The stand-in for Slack refuses what Slack refuses, signs as Slack does, and can be used by hand."""

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from slack_sdk.signature import SignatureVerifier

from tests.support.patience import PATIENCE
from waitpoints_local.slack_stand_in import (
    BOT_TOKEN,
    SIGNING_SECRET,
    Workspace,
    obey,
    problem,
    rate_limited,
    send,
    serving,
    shown,
    signed,
)

BUTTON = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "Go"}}
CARD: dict[str, Any] = {
    "attachments": [
        {
            "content": {
                "body": [
                    {"inlines": [{"text": "Deploy?", "size": "Large"}]},
                    {"text": "Answer due by {{DATE(2027-01-15T08:00:00Z, SHORT)}}, {{TIME(2027-01-15T08:00:00Z)}}"},
                ],
                "actions": [{"title": "Open", "url": "http://x"}],
            }
        }
    ]
}
GO = {**BUTTON, "action_id": "waitpoints:go", "value": "waitpoint_1"}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with serving(channels={"#deploys"}) as workspace:
        yield workspace


def call(workspace: Workspace, method: str, body: dict[str, Any], token: str = BOT_TOKEN) -> Any:
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    asked = urllib.request.Request(f"{workspace.api_url}/{method}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
        return json.load(answer)


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


@pytest.mark.parametrize(
    "led", [{"host": "evil.example:8788"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "same-site"}]
)
def test_a_web_page_of_another_site_posts_nothing(workspace: Workspace, led: dict[str, str]) -> None:
    headers = {"authorization": f"Bearer {BOT_TOKEN}", **led}
    body = json.dumps({"channel": "#deploys", "text": "Hello"}).encode()
    with pytest.raises(HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(f"{workspace.api_url}/chat.postMessage", body, headers), timeout=PATIENCE)
    assert (workspace.calls, workspace.messages) == ([], [])


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


class TestWhatItRefuses:
    """docs.slack.dev, reference/block-kit/blocks and composition-objects."""

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "header", "text": plain("x" * 151)},
            {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
            {"type": "section", "text": plain("x" * 3_001)},
            {"type": "section", "text": plain("")},
            {"type": "section", "text": {**plain("x"), "verbatim": True}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "x", "emoji": True}},
            {"type": "context", "elements": [plain("x")] * 11},
            actions(),
            actions(*[{**BUTTON, "action_id": str(number)} for number in range(26)]),
            actions(BUTTON, BUTTON),
            actions({**BUTTON, "text": plain("x" * 76)}),
            actions({**BUTTON, "style": "blue"}),
            actions({**BUTTON, "url": "x" * 3_001}),
            actions(
                {**BUTTON, "confirm": {"title": plain("x"), "text": plain("x"), "confirm": plain("x" * 31), "deny": plain("x")}}
            ),
            {"type": "unknown"},
        ],
    )
    def test_in_blocks(self, block: dict[str, Any]) -> None:
        assert problem({"text": "x", "blocks": [block]}) == "invalid_blocks"

    def test_in_all_blocks(self) -> None:
        section = {"type": "section", "text": plain("x")}
        assert problem({"blocks": [section] * 50}) is None
        assert problem({"blocks": [section] * 51}) == "invalid_blocks"
        assert problem({"blocks": [{"type": "section", "text": plain("x" * 3_000)}] * 4}) == "msg_blocks_too_long"
        assert problem({"text": "x" * 40_001}) == "msg_too_long"
        assert problem({}) == "no_text"

    def test_in_calls(self, workspace: Workspace) -> None:
        message = {"channel": "#deploys", "text": "x"}
        assert call(workspace, "chat.postMessage", message, "")["error"] == "not_authed"
        assert call(workspace, "chat.postMessage", message, "xoxb-other")["error"] == "invalid_auth"
        assert call(workspace, "chat.delete", message)["error"] == "unknown_method"
        assert call(workspace, "chat.postMessage", {**message, "channel": "#other"})["error"] == "channel_not_found"
        assert call(workspace, "chat.postMessage", {**message, "thread_ts": "1.2"})["error"] == "thread_not_found"
        assert call(workspace, "chat.update", {"channel": "C1", "ts": "1.2", "text": "x"})["error"] == "message_not_found"
        workspace.next_answers.append(rate_limited(3))
        with pytest.raises(urllib.error.HTTPError) as raised:
            call(workspace, "chat.postMessage", message)
        assert (raised.value.code, raised.value.headers["retry-after"]) == (429, "3")


def test_keeps_messages_and_their_edits(workspace: Workspace) -> None:
    posted = call(workspace, "chat.postMessage", {"channel": "#deploys", "text": "x"})
    reply = {"channel": posted["channel"], "thread_ts": posted["ts"], "text": "again"}
    assert call(workspace, "chat.postMessage", reply)["ok"]
    assert call(workspace, "chat.update", {"channel": posted["channel"], "ts": posted["ts"], "text": "y"})["ok"]
    assert [(message.content["text"], message.edits) for message in workspace.messages] == [("y", 1), ("again", 0)]
    assert call(workspace, "chat.postMessage", {"channel": "U1", "text": "x"})["channel"].startswith("D")


def test_signs_as_slack_does() -> None:
    body, headers = signed({"type": "block_actions"}, time.time())
    assert SignatureVerifier(SIGNING_SECRET).is_valid_request(body, headers)
    assert not SignatureVerifier("another").is_valid_request(body, headers)


def test_sends_a_click_and_says_what_was_answered(workspace: Workspace) -> None:
    call(workspace, "chat.postMessage", {"channel": "#deploys", "text": "Deploy?", "blocks": [actions(GO)]})
    assert workspace.press(workspace.messages[0], "go", "U1", f"{workspace.url}/response/1") == 400  # it takes JSON only
    assert "invalid_json" in send(f"{workspace.url}/response/1", {}, time.time())[1]


def test_obeys_a_person(workspace: Workspace) -> None:
    assert obey(workspace, "list", "") == "nothing yet"
    call(workspace, "chat.postMessage", {"channel": "#deploys", "text": "Deploy?", "blocks": [actions(GO)]})
    workspace.private.append({"text": "not you"})
    workspace.cards.append(CARD)
    assert obey(workspace, "", "").splitlines() == [
        "  0  #deploys       Deploy?  [go]",
        "  to one person: not you",
        "  card in Teams:",
        "    Deploy?",
        "    Answer due by 2027-01-15T08:00:00Z",
        "    [Open] http://x",
    ]
    assert obey(workspace, "press 0 stop as U1", "") == "message 0 has no button stop; it has go"
    assert obey(workspace, "press 9 go as U1", "").startswith("type: list, or press N ACTION as")
    assert obey(workspace, "press 0 go as U1", f"{workspace.url}/response/1") == "answered 400"


def test_each_message_is_told_as_it_comes_with_what_can_be_pressed(workspace: Workspace) -> None:
    heard: list[str] = []
    workspace.heard = lambda line, _: heard.append(line)
    for button in (GO, {**BUTTON, "action_id": "opens", "url": "https://example.com"}):
        message = {"channel": "#deploys", "text": "Go?", "blocks": [actions(button)]}
        assert call(workspace, "chat.postMessage", message)["ok"]
    assert [line.split("[")[1] for line in heard] == ["go]", "opens the page]"]
    assert shown(workspace).splitlines() == heard


def test_what_else_people_see_is_told_as_it_comes(workspace: Workspace) -> None:
    heard: list[tuple[str, Any]] = []
    workspace.heard = lambda line, content: heard.append((line.split("\n")[0], content))
    posted = call(workspace, "chat.postMessage", {"channel": "#deploys", "text": "Go?", "blocks": [actions(GO)]})
    call(workspace, "chat.update", {"channel": posted["channel"], "ts": posted["ts"], "text": "Done"})
    for path, body in (("/teams", CARD), ("/response/1", {"text": "not you"})):
        assert workspace.answer(path, {}, body)[0] in (200, 202)
    assert [line for line, _ in heard] == [
        "  0  #deploys       Go?  [go]",
        "  0  #deploys       Done  [no buttons], edited",
        "  card in Teams:",
        "  to one person: not you",
    ]
    assert [content for _, content in heard[1:]] == [
        {"slack": "#deploys", "ts": posted["ts"], "edits": 1, "text": "Done"},
        {"teams": CARD},
        {"private": {"text": "not you"}},
    ]
