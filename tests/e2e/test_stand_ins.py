"""A test and `try` answer tasks through the emulator's own process. `engine_probes.py` has every kind of task and answer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.e2e.command_line import CommandLine
from tests.support.patience import PATIENCE
from waitpoints_local.machine.machines import Workshop
from waitpoints_local.stack import Stack
from waitpoints_local.testing import Fails, Machine

SDK = "arn:aws:states:::aws-sdk"
CHARGE: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::http:invoke",
    "Parameters": {"ApiEndpoint": "https://pay.example/charges", "Authentication": {"ConnectionArn": "${Connection}"}},
    "ResultSelector": {"id.$": "$.ResponseBody.id"},
    "ResultPath": "$.charge",
    "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 3600}],
    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Refused"}],
    "Next": "Ask",
}
ASK: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "${Queue}", "MessageBody": {"token.$": "$$.Task.Token"}},
    "HeartbeatSeconds": 600,
    "ResultPath": "$.answer",
    "End": True,
}
ORDER = {"StartAt": "Charge", "States": {"Charge": CHARGE, "Ask": ASK, "Refused": {"Type": "Fail", "Error": "Refused"}}}
CHARGED = {"ResponseBody": {"id": 7}}
AWS = """\
#!{python}
import os, sys, boto3
_, service, operation, *words = sys.argv
options = dict(zip(words[::2], words[1::2]))
assert operation == "send-task-success" and os.environ["AWS_ENDPOINT_URL"] == {endpoint!r}
boto3.client(service).send_task_success(taskToken=options["--task-token"], output=options["--task-output"])
"""
"""Stands in for AWS's program."""


@pytest.fixture
def machine(stack: Stack, tmp_path: Path) -> Iterator[Machine]:
    (tmp_path / "order.asl.json").write_text(json.dumps(ORDER))
    with Workshop.of(stack) as workshop, Machine(workshop, [tmp_path], 60) as made:
        yield made


@pytest.fixture
def waitpoints(stack: Stack, tmp_path: Path) -> CommandLine:
    (tmp_path / "order.asl.json").write_text(json.dumps(ORDER))
    return CommandLine(stack, tmp_path)


def test_a_state_fails_and_is_answered_call_by_call_within_its_fields(machine: Machine) -> None:
    run = machine("order.asl.json", {"order": 1}, stand_ins={"Charge": [Fails("Busy"), CHARGED]})
    assert [(it.state, it.what) for it in run.skip("1h")] == [("Charge", "Retry")]
    run.waiting("Ask").answer({"ok": True})
    assert run.output == {"order": 1, "charge": {"id": 7}, "answer": {"ok": True}}
    assert (run.states[0].error, run.states[0].failures) == ("Busy", 1)


def test_a_token_that_is_in_a_queue_is_the_one_that_fails(machine: Machine, stack: Stack) -> None:
    queues = stack.client("sqs")
    queue = queues.create_queue(QueueName="asked")["QueueUrl"]
    try:
        run = machine("order.asl.json", stand_ins={"Charge": CHARGED}, values={"Queue": queue})
        token = run.waiting("Ask")
        [message] = queues.receive_message(QueueUrl=queue)["Messages"]
        assert json.loads(message["Body"]) == {"token": token.id}
        token.fail("no money", name="Declined")
        assert (run.error, run.cause) == ("Declined", "no money")
    finally:
        queues.delete_queue(QueueUrl=queue)


def test_heartbeats_prolong_a_wait_until_it_times_out(machine: Machine) -> None:
    run = machine("order.asl.json", stand_ins={"Charge": CHARGED})
    for _ in range(3):
        assert run.skip("9m") == []
        run.waiting("Ask").heartbeat()
    run.waiting("Ask").time_out()
    assert run.error == "States.Timeout"


def test_items_of_a_distributed_map_are_answered_one_by_one(machine: Machine, tmp_path: Path) -> None:
    """Of a queue, and of the stack's own tokens."""
    own = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "<CreateFunctionName>", "Payload": {"taskToken.$": "$$.Task.Token", "timeout": "1h"}},
        "End": True,
    }
    other = {key: it for key, it in ASK.items() if key != "End"} | {"Next": "Own", "ResultPath": "$.other"}
    asks = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Ask"}
    each = {"Type": "Map", "ItemProcessor": {**asks, "States": {"Ask": other, "Own": own}}, "End": True}
    (tmp_path / "each.asl.json").write_text(json.dumps({"StartAt": "Each", "States": {"Each": each}}))
    run = machine("each.asl.json", [{}, {}])
    run.waiting("Ask", item=1).answer("b")
    run.waiting("Own", item=1).answer({"n": 1})
    run.waiting("Ask", item=0).answer("a")
    run.waiting("Own", item=0).time_out()
    late, answered = run.output
    assert (late["error"]["name"], answered) == ("WaitpointTimeoutError", {"ok": True, "output": {"n": 1}})


def test_try_shows_the_line_that_answers_a_task_token(waitpoints: CommandLine, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text(AWS.format(python=sys.executable, endpoint=waitpoints.stack.endpoint_url))
    program.chmod(0o755)
    with waitpoints.start("try", "order.asl.json", "--stand-in", f"Charge={json.dumps(CHARGED)}", "--json") as run:
        assert run.stdout
        told = [json.loads(run.stdout.readline())]
        while told[-1]["event"] != "token":
            told.append(json.loads(run.stdout.readline()))
        path = os.pathsep.join([str(program.parent), waitpoints.environment["PATH"]])
        line, environment = told[-1]["token"]["command"], {**waitpoints.environment, "PATH": path}
        subprocess.run(["sh", "-c", line], env=environment, cwd=tmp_path, check=True, timeout=PATIENCE)
        rest, _ = run.communicate(timeout=PATIENCE)
    ended = json.loads(rest.splitlines()[-1])
    assert (run.returncode, ended["output"]) == (0, {"charge": {"id": 7}, "answer": {"approved": True}})
