"""Mails that are sent in the local stack are kept in the emulator's process, and `waitpoints outbox` shows them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from waitpoints_client.cli.program import program

from tests.support import mails
from tests.support.e2e.api import Api
from tests.support.e2e.command_line import CommandLine
from waitpoints.api.notices.mail import MailChannel
from waitpoints.api.notices.plan import NoticeKind
from waitpoints.errors import NotSent
from waitpoints_local.stack import Stack

SENDER = "outbox@example.com"


def outbox(*arguments: str) -> Any:
    done = CliRunner().invoke(program, ["outbox", *arguments, "--json"], prog_name="waitpoints")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_mail_and_its_reminder_are_in_the_outbox(
    stack: Stack, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CommandLine(stack, tmp_path).folder)
    token = api.create(page=mails.PLAIN)
    ses = stack.client("sesv2")
    ses.create_email_identity(EmailIdentity=SENDER)
    sender = MailChannel(lambda: ses, SENDER, mails.BRAND)

    asked = mails.notice(mails.PLAIN, person=None, link=token["url"], to="outbox.reader@example.com")
    ref = sender.send(asked)
    sender.send(replace(asked, kind=NoticeKind.REMINDER, ref=ref))

    reminder, first = [mail for mail in outbox() if "outbox.reader@example.com" in mail["to"]]
    assert (first["subject"], reminder["subject"]) == ("Deploy 4.2 to production?", "Reminder: Deploy 4.2 to production?")
    assert first["link"] == reminder["link"] == token["url"]
    assert outbox(str(first["mail"])) == first
    assert first["text"].startswith("Acme\n\nDeploy 4.2 to production?\n\nAll 812 checks passed.\n")


def test_a_sender_who_is_not_verified_is_refused_as_in_aws(stack: Stack) -> None:
    ses = stack.client("sesv2")
    with pytest.raises(NotSent, match="MessageRejected: MailFrom is not verified in SES"):
        MailChannel(lambda: ses, "nobody@unverified.example", mails.BRAND).send(mails.notice())
