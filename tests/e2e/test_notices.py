"""People are notified by the stream, a queue and their functions' roles, and answer: mails, Slack's buttons, cards in Teams.

`unit/api/notices` has what a message says. Slack and Teams are the stand-in of `slack_stand_in`. Mails are those that the
emulator has kept.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import IO, Any

import pytest

from tests.browser import runner
from tests.support.e2e import afterwards, folders, own_tests
from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
from tests.support.e2e.command_line import CommandLine
from tests.support.e2e.command_line import command as waitpoints
from tests.support.e2e.mails import mails_about
from tests.support.e2e.ops import Operator
from tests.support.e2e.waiting import until
from tests.support.patience import PATIENCE
from tools.stack import emulating
from waitpoints_local import slack_stand_in
from waitpoints_local.slack_stand_in import Message, Workspace
from waitpoints_local.stack import Stack, described, free_port, overrides

FOLDER = folders.FOLDER / "notices"
SENDER = "approvals@example.com"
CHANNELS = (f"MailFrom={SENDER}", "Slack=on", "Teams=on", "BrandName=Acme", "MailDomains=.example.org,Example.com")
ACTIONS = [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}]
ANN = {"id": "ann", "name": "Ann Lee", "email": "ann@example.com", "slack": "U0ANN"}
BO = {"id": "bo", "name": "Bo Berg", "email": "bo@example.com", "slack": "U0BO"}
TOGETHER = {"title": "Deploy 4.2 to production?", "approvers": [ANN, BO], "actions": ACTIONS}
ANYBODY = {"title": "Restart the cache?", "actions": [{"id": "yes", "label": "Yes"}, {"id": "no", "label": "No"}]}


@dataclass
class Office:
    """A stack that notifies people, and what they see."""

    stack: Stack
    api: Api
    slack: Workspace

    def ask(self, page: dict[str, Any], **notify: Any) -> tuple[dict[str, Any], str]:
        return self.api.awaited(page=page, notify=notify)

    def mails(self, token: dict[str, Any]) -> list[EmailMessage]:
        """The mails about a token, in their order."""
        return mails_about(self.stack, token["id"])

    def notified(self, token: dict[str, Any], targets: int) -> list[dict[str, Any]]:
        """The token's notices, once so many targets have a record."""
        found = until(lambda: having(self.api.retrieve(token).get("notices", []), targets), f"{targets} targets")
        assert len(found) == targets
        return found

    def sent(self, token: dict[str, Any], targets: int) -> None:
        """Wait until so many targets are notified."""
        assert {(one["status"], one.get("reason")) for one in self.notified(token, targets)} == {("sent", None)}

    def messages(self, token: dict[str, Any], people: str) -> list[Message]:
        """What was posted about a token for a channel, or a member."""
        about = [message for message in self.slack.messages if message.people == people]
        return [message for message in about if token["id"] in json.dumps(message.content)]

    def press(self, message: Message, action: str, user: str) -> int:
        return self.slack.press(message, action, user, f"{self.stack.api_url}/api/v1/slack")


def having[Item](found: list[Item], number: int) -> list[Item]:
    return found if len(found) >= number else []


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link_in(mail: EmailMessage) -> str:
    [link] = set(re.findall(r"http://\S+/callback/\S+", text_of(mail)))
    return str(link)


@pytest.fixture(scope="module")
def office(current_build: Built) -> Iterator[Office]:
    with emulating(free_port(), FOLDER) as emulator, slack_stand_in.serving() as workspace:
        emulator.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        current_build.deploy(emulator, parameters=(*overrides(emulator.url), *CHANNELS))
        with described(emulator, FOLDER) as stack:
            slack_stand_in.connect(stack, workspace)
            yield Office(stack, Api(stack), workspace)
            afterwards.check(stack, FOLDER)


def test_two_people_answer_by_the_links_in_their_mails(office: Office, subtests: pytest.Subtests) -> None:
    token, execution = office.ask(TOGETHER, email=True)
    office.sent(token, 2)
    first, second = office.mails(token)
    assert {(str(mail["To"]), str(mail["From"])) for mail in (first, second)} == {
        ("Ann Lee <ann@example.com>", f"Acme <{SENDER}>"),
        ("Bo Berg <bo@example.com>", f"Acme <{SENDER}>"),
    }
    links = {str(mail["To"]).split()[0].lower(): link_in(mail) for mail in (first, second)}
    assert links == {one["approver"]: one["url"] for one in token["links"]}

    runner.run(subtests, "notices.test.mjs", FIRST=links["ann"], SECOND=links["bo"])

    status, output = office.api.result(execution)
    assert (status, [answer["approver"] for answer in output["answers"]]) == ("SUCCEEDED", ["ann", "bo"])
    asked_last = office.mails(token)[2:]  # Bo, once Ann had answered
    [to_bo] = [mail for mail in (first, second) if str(mail["To"]).startswith("Bo")]
    assert [(mail["To"], mail["In-Reply-To"]) for mail in asked_last] == [(to_bo["To"], to_bo["Message-ID"])]


def test_two_people_answer_by_buttons_and_a_stranger_is_told_privately(office: Office) -> None:
    token, execution = office.ask(TOGETHER, slack="#deploys", teams="TEAMS")
    office.sent(token, 4)  # the channel, Teams, and both people
    [channel], [card] = until(lambda: office.messages(token, "#deploys"), "a message"), office.slack.cards[-1:]
    assert "TEAMS" not in json.dumps(card)
    assert channel.buttons().keys() == {"approve", "reject"}

    assert office.press(channel, "approve", "U0STRANGER") == 200
    assert "Only these people can answer: Ann Lee, Bo Berg" in office.slack.private[-1]["text"]
    assert office.api.retrieve(token)["status"] == "WAITING"

    assert office.press(channel, "approve", "U0ANN") == 200
    until(lambda: channel.edits, "the message says who has answered")
    replayed = office.slack.click(channel, channel.buttons()["approve"], "U0ANN", "ann")
    assert slack_stand_in.send(f"{office.stack.api_url}/api/v1/slack", replayed, time.time())[0] == 200
    assert "You have already chosen" in office.slack.private[-1]["text"]
    kept = channel.buttons()["reject"]

    [direct] = office.messages(token, "U0BO")[:1]
    assert office.press(direct, "approve", "U0BO") == 200
    status, output = office.api.result(execution)
    assert (status, [answer["approver"] for answer in output["answers"]]) == ("SUCCEEDED", ["ann", "bo"])
    until(lambda: not channel.buttons() and not direct.buttons(), "no button outlives the decision")

    late = office.slack.click(channel, kept, "U0CY", "cy")
    assert slack_stand_in.send(f"{office.stack.api_url}/api/v1/slack", late, time.time())[0] == 200
    assert office.slack.private[-1]["text"].startswith("Decided\n")
    assert office.api.retrieve(token)["completedBy"]["approver"] == "bo"


def test_who_decided_and_who_asked_get_the_outcome(office: Office) -> None:
    page = {**TOGETHER, "requestedBy": "dee@example.com"}
    token, _ = office.ask(page, email=True, slack="#deploys", outcome=True)
    office.sent(token, 5)
    questions = {str(mail["To"]): mail["Message-ID"] for mail in office.mails(token)}
    [to_ann] = office.messages(token, "U0ANN")
    assert office.press(to_ann, "reject", "U0ANN") == 200

    told = until(lambda: having([it for it in office.notified(token, 6) if it.get("outcome")], 5), "five outcomes")
    assert sorted(it["to"] for it in told) == ["U0ANN", "U0BO", "ann@example.com", "bo@example.com", "dee@example.com"]
    assert {it["to"] for it in told if "approver" not in it} == {"dee@example.com"}
    outcomes = {str(mail["To"]): mail for mail in office.mails(token)[2:]}
    replies = {to: mail["In-Reply-To"] for to, mail in outcomes.items()}
    assert replies == {**questions, "dee@example.com": None}
    assert [to_ann.ts] == [it.content["thread_ts"] for it in office.slack.messages if it.people == to_ann.channel]


def test_whoever_clicks_answers_a_page_without_approvers(office: Office) -> None:
    token, execution = office.ask(ANYBODY, slack="#ops")
    [message] = until(lambda: office.messages(token, "#ops"), "a message")
    assert office.press(message, "yes", "U0CY") == 200
    status, output = office.api.result(execution)
    assert (status, output["action"], output["slackUser"]) == ("SUCCEEDED", "yes", {"id": "U0CY", "name": "u0cy"})
    until(lambda: not message.buttons(), "the message ends with its outcome")
    assert office.api.retrieve(token)["completedBy"]["slackUser"] == "U0CY"


def test_a_channel_that_refuses_is_named_in_retrieve_and_a_redrive_sends_again(office: Office) -> None:
    office.slack.channels = {"#deploys", "#ops"}
    token, _ = office.ask(ANYBODY, slack="#nowhere")
    [notice] = office.notified(token, 1)
    assert (notice["status"], notice["reason"]) == ("refused", "channel_not_found")
    office.slack.channels = None
    asked = {"command": "sendNotices", "waitpointIds": [token["id"]]}
    assert Operator(office.stack).invoke("SendNotices", asked) == {"notSent": 0}
    assert office.messages(token, "#nowhere")
    office.sent(token, 1)


@pytest.mark.parametrize("count", [pytest.param(25, marks=pytest.mark.few), pytest.param(100, marks=pytest.mark.thorough)])
def test_tokens_that_come_at_once_are_all_asked_once(office: Office, count: int) -> None:
    office.slack.next_answers.extend([slack_stand_in.rate_limited(1)] * 3)
    with ThreadPoolExecutor(16) as pool:
        page = {**ANYBODY, "title": "One of many"}
        tokens = list(pool.map(lambda _: office.api.create(page=page, notify={"slack": "#many"}), range(count)))
        list(pool.map(lambda token: office.sent(token, 1), tokens))
    assert sorted(len(office.messages(token, "#many")) for token in tokens) == [1] * count


MAILS = """
from waitpoints_local.testing import Machine

def test_ann_is_asked_and_reminded(machine: Machine) -> None:
    run = machine("ask.asl.json")
    token = run.waiting("Ask")
    [mail] = run.mails
    assert (mail.to, mail.subject) == ("Ann Lee <ann@example.com>", "Deploy?")
    assert mail.links == ("https://example.com/notes", token.links["ann"])
    assert mail.text.startswith("Acme\\n\\nDeploy?\\n") and token.links["ann"].replace("&", "&amp;") in mail.html
    run.skip("4h")
    assert [mail.subject for mail in run.mails] == ["Deploy?", "Reminder: Deploy?"]
"""


def test_a_test_of_a_machine_reads_the_mails(office: Office, tmp_path: Path) -> None:
    page = {
        "title": "Deploy?",
        "approvers": [ANN],
        "links": [{"label": "Notes", "url": "https://example.com/notes"}],
        "actions": ANYBODY["actions"],
        "remind": ["4h"],
    }
    payload = {"timeout": "1d", "taskToken.$": "$$.Task.Token", "page": page, "notify": {"email": True}}
    asks = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "<CreateFunctionName>", "Payload": payload},
        "End": True,
    }
    (tmp_path / "ask.asl.json").write_text(json.dumps({"StartAt": "Ask", "States": {"Ask": asks}}))
    (tmp_path / "test_ask.py").write_text(MAILS)
    done = own_tests.run(office.stack, tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_chat_prints_what_comes_and_presses_buttons(office: Office, tmp_path: Path) -> None:
    """The last test: it connects the stack to another workspace."""
    command, environment = [*waitpoints(), "chat", "--port", "0"], CommandLine(office.stack, tmp_path).environment
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes) as chat:
        assert chat.stdin
        assert chat.stdout
        read(chat.stdout, "type: list, or press N ACTION as U024BE7LH, or Ctrl-D")
        token, execution = office.ask({**ANYBODY, "title": "By hand?"}, slack="#hand", teams="TEAMS")
        message, card = "  0  #hand          By hand?: An answer is needed.  [yes, no]", f"    [Open and answer] {token['url']}"
        read(chat.stdout, message, "  card in Teams:", "    By hand?", card)
        print("press 0 yes as U0CY", file=chat.stdin, flush=True)
        assert office.api.result(execution)[1]["slackUser"]["id"] == "U0CY"
        chat.stdin.close()
        assert chat.wait(PATIENCE) == 0
    slack_stand_in.connect(office.stack, office.slack)


def read(printed: IO[str], *expected: str) -> None:
    """Read until each of these lines has come."""
    missing = set(expected)
    while missing:
        line = printed.readline()
        assert line, f"it has ended without {missing}"
        missing.discard(line.rstrip("\n"))
