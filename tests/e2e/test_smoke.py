"""`make smoke`: on a healthy stack every line is ok. `test_broken_stacks.py` has broken ones."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

import pytest
from waitpoints_client.ops import logs
from waitpoints_client.ops.caller import Caller, Pace
from waitpoints_client.ops.deployed import Deployed
from waitpoints_client.ops.smoke import Line, prove
from waitpoints_client.ops.smoke_checks import CHECKS, QUICK, Check

from tests.support import figures
from tests.support.e2e.ops import Operator
from tests.support.e2e.parameters import given
from tests.support.in_process.template import EVERYTHING, Template
from waitpoints_local.stack import Stack, verify_sender

MAIL_FROM = "smoke@example.com"
CHANNELS = {"puts events", "sends a mail"}
ISSUER = "leads to the issuer"  # test_sign_in.py has a stack with one
NARROW = "arn:aws:states:*:*:stateMachine:refund*"
BY_A_PERSON = {"answer_slack"}
"""Functions that no check invokes: they need somebody in Slack."""
OF_OPTIONS = {
    "begin_sign_in",
    "finish_sign_in",
    "sign_out",
    "begin_session",
    "console_session",
    "send_notices",
    "start_timers",
}
"""Functions of a sign-in and of mail, which only a stack with these has, and one that a schedule invokes each minute."""
SILENT = {"show_console"}
"""Functions that are invoked, and log no line."""
BY_MESSAGE = {
    "check": "resume_waiters",
    "doctor": "doctor",
    "expire": "expire_tokens",
    "schedule": "schedule_timeouts",
}


@pytest.fixture
def caller(stack: Stack) -> Caller:
    return Caller(Deployed.local(asdict(stack)), stack.api_key, Pace(patience=20, stream=20, total=120))


@contextmanager
def with_channels(stack: Stack) -> Iterator[None]:
    verify_sender(stack.endpoint, MAIL_FROM)
    with (
        given(stack, "EventBusName", "default"),
        given(stack, "MailFrom", MAIL_FROM),
        given(stack, "ResumableStateMachines", NARROW),
    ):
        yield


@pytest.mark.parametrize(
    ("quick", "checks"),
    [pytest.param("1", QUICK, marks=pytest.mark.few), pytest.param("", CHECKS, marks=pytest.mark.thorough)],
    ids=["quick", "whole"],
)
def test_a_healthy_stack_passes_every_line(stack: Stack, quick: str, checks: tuple[Check, ...]) -> None:
    since = time.time_ns() // 1_000_000
    with nullcontext() if quick else with_channels(stack):
        status, output = Operator(stack).run("smoke", QUICK=quick)

    figures.show(output)
    assert status == 0, output
    skipped = {ISSUER, *(CHANNELS if quick else ())}
    expected = ["skipped" if check.name in skipped else "ok" for check in checks]
    lines = [line for line in output.splitlines() if line.startswith(("  ok ", "  skipped "))]
    assert [line.split()[0] for line in lines] == expected, output
    assert [check.name in line for check, line in zip(checks, lines, strict=True)] == [True] * len(checks), output
    assert "0 executions stopped" in output
    assert "NOT removed" not in output
    assert "could not be checked" not in output
    functions = invoked(stack, since)
    figures.show(f"smoke invoked {len(functions)} functions")
    assert Template.load(EVERYTHING).functions().keys() - functions <= BY_A_PERSON | OF_OPTIONS | SILENT
    assert Operator(stack).run("doctor")[0] == 0


def invoked(stack: Stack, since: int) -> set[str]:
    """The functions that have logged what they did since then, in epoch milliseconds."""
    deployed, routes = Deployed.local(asdict(stack)), Template.load(EVERYTHING).routes()
    found = set[str]()
    for line in logs.read(deployed.client("logs"), logs.find_log_group(deployed), since):
        record = line.record or {}
        if "route" in record:
            found.add(routes[record["route"]].name)
        elif "task" in record:
            found.add(record["task"])
        elif record.get("message") in BY_MESSAGE:
            found.add(BY_MESSAGE[record["message"]])
    return found


def test_nothing_remains_of_what_a_run_makes_beside_its_tokens(stack: Stack, caller: Caller) -> None:
    made = [
        check
        for check in CHECKS
        if check.name in ("accepts a signature", "completes by an endpoint", "records deliveries", "limits a named key")
    ]
    assert prove(caller, [CHECKS[1], *made], show=str) == 0

    secrets = stack.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
    assert not [secret["Name"] for secret in secrets if caller.tag in secret["Name"]]
    for path in ("/api/v1/endpoints", "/api/v1/keys"):
        assert caller.tag not in str(caller.call("GET", path))


def test_a_failing_function_fails_the_line_of_the_log(stack: Stack, caller: Caller) -> None:
    def invoke_wrongly(caller: Caller) -> str:
        with pytest.raises(RuntimeError):
            caller.stack.invoke(stack.wait_function_name, {"waitpointId": 1})
        return ""

    creates, logs = (check for check in CHECKS if check.name in ("creates a token", "logs no error"))
    shown: list[object] = []

    assert prove(caller, [creates, Check("fails", invoke_wrongly, ""), logs], shown.append) == 1
    [line, again] = (line for line in shown if isinstance(line, Line) and line.outcome == "failed")
    assert again.name == line.name
    assert (line.name, "lines with an error" in line.figure) == ("logs no error", True)


def test_ctrl_c_ends_the_command_cleanly(stack: Stack) -> None:
    with Operator(stack).start("smoke") as process:
        assert process.stdout
        while "resumes at once" not in process.stdout.readline():  # next comes the wait for the timeouts
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read()

    assert process.returncode != 0
    assert "Interrupted: cleaning up" in rest
    assert "executions stopped" in rest
    assert "Traceback" not in rest
