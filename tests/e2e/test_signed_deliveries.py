"""Signed deliveries of a user in processes of their own: a test, `waitpoints try`, and `waitpoints deliver`.

`integration/test_local_deliveries.py` has each scheme and refusal.
"""

import json
from pathlib import Path

import pytest

from tests.support.e2e import own_tests
from tests.support.e2e.command_line import CommandLine
from tests.support.e2e.secrets import Secrets
from waitpoints_local.stack import Stack

SECRET = "E2E-SIGNED"
PAYLOAD = {
    "timeout": "1d",
    "taskToken.$": "$$.Task.Token",
    "verify": {"scheme": "discord", "secret": "E2E-DISCORD"},
    "completeWhen": "body.status == 'done'",
}
ASKS = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "<CreateFunctionName>", "Payload": PAYLOAD},
    "End": True,
}
TESTS = """
from waitpoints_local.testing import Machine

def test_a_progress_report_is_no_answer(machine: Machine) -> None:
    machine("job.asl.json").waiting("Ask").answer({"status": "running"})

def test_only_what_is_signed_counts(machine: Machine) -> None:
    run = machine("job.asl.json")
    token = run.waiting("Ask")
    assert token.post({"status": "done"}).status_code == 401
    assert token.post({"status": "running"}, signed=True).status_code == 200
    token.answer({"status": "done"})
    assert run.output["output"] == {"status": "done"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "job.asl.json").write_text(json.dumps({"StartAt": "Ask", "States": {"Ask": ASKS}}))
    (tmp_path / "test_job.py").write_text(TESTS)
    return tmp_path


def test_a_test_fails_if_a_rule_refuses_its_answer(stack: Stack, project: Path) -> None:
    done = own_tests.run(stack, project)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert 'The token of "Ask" did not take the answer: its completeWhen does not match this answer. post(…) s' in done.stdout


def test_an_answer_of_try_is_held_against_the_rules(stack: Stack, project: Path) -> None:
    command = CommandLine(stack, project)
    refused = command.run("try", "job.asl.json", "--answer", '{"status": "running"}')
    assert (refused.returncode, "its completeWhen does not match this answer" in refused.stdout) == (1, True), refused
    done = command.run("try", "job.asl.json", "--answer", '{"status": "done"}')
    assert (done.returncode, "SUCCEEDED" in done.stdout) == (0, True), done


def test_a_person_delivers_as_the_provider_does(stack: Stack, secrets: Secrets, tmp_path: Path) -> None:
    command, value = CommandLine(stack, tmp_path), "a-secret-that-nothing-prints"
    secrets.make(SECRET, value)
    token = command.run("create", "--verify", f"github:{SECRET}", "--timeout", "1h", "--quiet").stdout.strip()
    (tmp_path / "body.json").write_text('{"n": 1}')
    done = command.run("deliver", token, "@body.json")
    assert (done.returncode, done.stdout, value in done.stderr) == (0, f"id\t{token}\nstatus\tCOMPLETED\n", False)
    assert command.run("wait", token).stdout == '{\n  "n": 1\n}\n'


def test_a_person_delivers_to_an_endpoint(stack: Stack, secrets: Secrets, tmp_path: Path) -> None:
    command = CommandLine(stack, tmp_path)
    secrets.make(SECRET, "a-secret-that-nothing-prints")
    command.run("endpoints", "put", "signed-by-hand", "--key", "body.id", "--verify", f"github:{SECRET}")
    token = command.run("create", "--key", "signed-by-hand:7", "--timeout", "1h", "--quiet").stdout.strip()
    assert command.json("deliver", "signed-by-hand", '{"id": 7}') == {"outcome": "completed", "key": "signed-by-hand:7"}
    assert command.json("get", token)["completedBy"]["source"] == "endpoint"
    command.run("endpoints", "delete", "signed-by-hand", "--yes")
