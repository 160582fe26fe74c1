"""`make smoke`: on a healthy stack every line is ok. `test_broken_stacks.py` has broken ones."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

import pytest
from waitpoints_client.ops.caller import Caller, Pace
from waitpoints_client.ops.deployed import Deployed
from waitpoints_client.ops.smoke import Line, prove
from waitpoints_client.ops.smoke_checks import CHECKS, QUICK, Check

from tests.support import figures
from tests.support.e2e.ops import Operator
from tests.support.e2e.parameters import given
from waitpoints_local.stack import Stack, verify_sender

MAIL_FROM = "smoke@example.com"
CHANNELS = {"puts events", "sends a mail"}


@pytest.fixture
def caller(stack: Stack) -> Caller:
    return Caller(Deployed.local(asdict(stack)), stack.api_key, Pace(patience=20, stream=20, total=120))


@contextmanager
def with_channels(stack: Stack) -> Iterator[None]:
    verify_sender(stack.endpoint, MAIL_FROM)
    with given(stack, "EventBusName", "default"), given(stack, "MailFrom", MAIL_FROM):
        yield


@pytest.mark.parametrize(
    ("quick", "checks"),
    [pytest.param("1", QUICK, marks=pytest.mark.few), pytest.param("", CHECKS, marks=pytest.mark.thorough)],
    ids=["quick", "whole"],
)
def test_a_healthy_stack_passes_every_line(stack: Stack, quick: str, checks: tuple[Check, ...]) -> None:
    with nullcontext() if quick else with_channels(stack):
        status, output = Operator(stack).run("smoke", QUICK=quick)

    figures.show(output)
    assert status == 0, output
    expected = ["skipped" if quick and check.name in CHANNELS else "ok" for check in checks]
    lines = [line for line in output.splitlines() if line.startswith(("  ok ", "  skipped "))]
    assert [line.split()[0] for line in lines] == expected, output
    assert [check.name in line for check, line in zip(checks, lines, strict=True)] == [True] * len(checks), output
    assert "0 executions stopped" in output
    assert "NOT removed" not in output
    assert "could not be checked" not in output


def test_nothing_remains_of_what_a_run_makes_beside_its_tokens(stack: Stack, caller: Caller) -> None:
    made = [
        check for check in CHECKS if check.name in ("accepts a signature", "completes by an endpoint", "limits a named key")
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
    [line] = (line for line in shown if isinstance(line, Line) and line.outcome == "failed")
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
