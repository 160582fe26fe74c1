"""What `make run` prints fits a terminal of 80 columns and stays on its screen."""

import json
from dataclasses import fields

import pytest

from tools.run import PAYLOAD, Steps, chosen_parameters, how_to_go_on, shortened
from waitpoints_local.stack import Stack

VALUES = {
    "api_url": "http://127.0.0.1:8787",
    "endpoint_url": "http://127.0.0.1:8787",
    "api_key": "k" * 48,
    "region": "us-east-1",
}


STACK = Stack(**{field.name: VALUES.get(field.name, "x") for field in fields(Stack)})


@pytest.mark.parametrize("has_aws", [False, True])
@pytest.mark.parametrize("has_mail", [False, True])
def test_how_to_go_on_fits_80_columns(has_aws: bool, has_mail: bool) -> None:
    lines = how_to_go_on(STACK, has_aws=has_aws, has_mail=has_mail, has_chat=has_mail).splitlines()
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("has_mail", [False, True])
def test_the_outbox_is_mentioned_if_the_stack_sends_mails(has_mail: bool) -> None:
    printed = how_to_go_on(STACK, has_aws=False, has_mail=has_mail)
    assert "slack_stand_in" not in printed
    assert ("waitpoints outbox --open" in printed) == ('"notify"' in printed) == has_mail


@pytest.mark.parametrize("has_chat", [False, True])
def test_the_stand_in_is_mentioned_if_the_stack_has_slack_or_teams(has_chat: bool) -> None:
    assert ("-m waitpoints_local.slack_stand_in" in how_to_go_on(STACK, has_aws=False, has_chat=has_chat)) is has_chat


@pytest.mark.parametrize(
    ("written", "sender"),
    [
        ("", ""),
        ("BrandName=Acme", ""),
        ("MailFrom=", ""),
        ("BrandName='a=b' MailFrom=waitpoints@example.com", "waitpoints@example.com"),
    ],
)
def test_the_sender_is_the_parameter_mail_from(monkeypatch: pytest.MonkeyPatch, written: str, sender: str) -> None:
    monkeypatch.setenv("PARAMETERS", written)
    assert chosen_parameters().get("MailFrom", "") == sender


def test_a_step_with_a_tokens_id_fits_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    step = Steps()
    step("POST GitHub's webhook to its callback URL")
    step.end("waitpoint_01jd3rj5v0000000000000000a")
    printed = capsys.readouterr().out
    assert printed.endswith(" s  waitpoint_01jd3rj5v0000000000000000a\n")
    assert len(printed) <= 100


def test_the_output_of_the_demonstration_is_five_lines() -> None:
    output = json.dumps(json.loads(PAYLOAD.read_bytes()), indent=2)
    lines = shortened(output)
    assert len(lines) == 5
    assert (lines[0], lines[1], lines[-1]) == ("{", '  "action": "completed",', "}")
    assert lines[3] == f"… {len(output.splitlines()) - 4} more lines …"
    assert shortened("1\n2\n3\n4\n5") == ["1", "2", "3", "4", "5"]
