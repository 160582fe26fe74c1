"""`waitpoints chat` prints what people see as it comes, and does what is typed."""

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner
from waitpoints_client.cli.program import program

from waitpoints_local import chat
from waitpoints_local.slack_stand_in import BOT_TOKEN, Workspace
from waitpoints_local.stack import Stack

BUTTON = {"type": "button", "action_id": "waitpoints:go", "text": {"type": "plain_text", "text": "Go"}, "value": "waitpoint_1"}
MESSAGE = {
    "channel": "#deploys",
    "text": "Go to &lt;b&gt; &amp;amp; &eacute;?\x1b[31m",
    "blocks": [{"type": "actions", "elements": [BUTTON]}],
}


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Workspace]:
    """The workspaces that a stack with Slack was connected to."""
    found: list[Workspace] = []
    stack = SimpleNamespace(api_url="http://127.0.0.1:1")
    monkeypatch.setattr(chat, "_find", lambda: stack)
    monkeypatch.setattr(chat, "connect", lambda _, workspace: found.append(workspace))
    return found


@pytest.mark.parametrize("as_json", [False, True])
def test_a_message_is_printed_as_it_comes(
    connected: list[Workspace], as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def typed() -> Iterator[str]:
        answer = connected[0].answer("/api/chat.postMessage", {"authorization": f"Bearer {BOT_TOKEN}"}, MESSAGE)
        assert answer[2]["ok"]
        printed.append(capsys.readouterr().out)
        yield "press 0 stop as U1\n"
        raise KeyboardInterrupt

    printed: list[str] = []
    monkeypatch.setattr(sys, "stdin", typed())
    chat.chat(0, as_json=as_json)
    [line] = printed
    answered, noted = capsys.readouterr()
    if as_json:
        assert json.loads(line)["blocks"] == MESSAGE["blocks"]
    else:
        assert line == "  0  #deploys       Go to <b> &amp; &eacute;?\\u001b[31m  [go]\n"
    assert "message 0 has no button stop; it has go\n" in (noted if as_json else answered)


def test_a_port_that_is_in_use_is_named(connected: list[Workspace]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(program, ["chat", "--port", str(port)])
    assert (done.exit_code, connected) == (2, [])
    assert f"Port {port} cannot be used: Address already in use. Choose another with --port" in done.stderr


@pytest.mark.parametrize(
    "left", [None, {"api_url": "http://127.0.0.1:9", "api_key": "k", "endpoint_url": "http://127.0.0.1:9"}]
)
def test_says_that_no_stack_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: dict[str, str] | None) -> None:
    monkeypatch.setenv("WAITPOINTS_LOCAL", str(tmp_path))
    if left is not None:
        others = {field.name: "" for field in fields(Stack)}
        (tmp_path / "stack.json").write_text(json.dumps(others | left))
    done = CliRunner().invoke(program, ["chat"])
    assert done.exit_code == 1
    assert done.stderr == "Error: No stack runs. First: waitpoints up --parameters Slack=on --parameters Teams=on\n"


@pytest.mark.parametrize(("slack", "has_chat"), [("off", False), ("on", True)])
def test_a_stack_without_slack_and_teams_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slack: str, has_chat: bool
) -> None:
    parameters = [{"ParameterKey": "Slack", "ParameterValue": slack}, {"ParameterKey": "Teams", "ParameterValue": "off"}]
    described: Any = SimpleNamespace(describe_stacks=lambda **_: {"Stacks": [{"Parameters": parameters}]})
    others = {field.name: "" for field in fields(Stack)}
    urls = {"api_url": "http://127.0.0.1:9", "endpoint_url": "http://127.0.0.1:9"}
    (tmp_path / "stack.json").write_text(json.dumps(others | urls))
    monkeypatch.setenv("WAITPOINTS_LOCAL", str(tmp_path))
    monkeypatch.setattr(chat, "is_serving", lambda _: True)
    monkeypatch.setattr(Stack, "client", lambda *_: described)
    if has_chat:
        assert chat._find().api_url == urls["api_url"]
        return
    done = CliRunner().invoke(program, ["chat"])
    assert (done.exit_code, "has neither Slack nor Teams. End it, then: waitpoints up" in done.stderr) == (1, True)
