"""The command `waitpoints` that make installs, against the deployed stack, as an operator runs it."""

import io
import json
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.e2e.api import Api
from tests.support.e2e.command_line import CommandLine
from tests.support.patience import PATIENCE
from tests.support.patterns_doc import INPUTS
from tests.support.programs import need
from tests.support.readme import APPROVALS
from tools import version
from tools.stack import ROOT
from waitpoints_local.stack import Stack

MACHINES = ROOT / "examples" / "statemachines"
RETRY = [{"ErrorEquals": ["Busy", "Lambda.ServiceException"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1}]
TEMPLATE = {
    "Parameters": {
        "Wait": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/waitpoints/waitpoints-prod/WaitFunctionName"},
    },
    "Resources": {
        "Pay": {"Type": "AWS::Serverless::Function"},
        "Machine": {
            "Type": "AWS::Serverless::StateMachine",
            "Properties": {
                "DefinitionSubstitutions": {"PayArn": {"Fn::GetAtt": ["Pay", "Arn"]}, "Wait": {"Ref": "Wait"}},
                "Definition": {
                    "StartAt": "Wait for approval",
                    "States": {
                        "Wait for approval": {
                            "Type": "Task",
                            "Resource": {"Fn::Sub": "arn:${AWS::Partition}:states:::lambda:invoke.waitForTaskToken"},
                            "Parameters": {
                                "FunctionName": "${Wait}",
                                "Payload": {"waitpointId.$": "$.token.id", "taskToken.$": "$$.Task.Token"},
                            },
                            "Next": "Pay",
                        },
                        "Pay": {
                            "Type": "Task",
                            "Resource": "${PayArn}",
                            "Retry": RETRY,
                            "Catch": [{"ErrorEquals": ["Declined"], "Next": "Not paid"}],
                            "End": True,
                        },
                        "Not paid": {"Type": "Pass", "End": True},
                    },
                },
            },
        },
    },
}
OVERNIGHT = {
    "StartAt": "Night",
    "States": {
        "Night": {"Type": "Wait", "Seconds": 14400, "Next": "Pay"},
        "Pay": {
            "Type": "Task",
            "Resource": "${Pay}",
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 600}],
            "ResultPath": "$.payment",
            "Next": "Ask",
        },
        "Ask": {
            "Type": "Task",
            "Resource": "arn:${Partition}:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {
                "FunctionName": "<CreateFunctionName>",
                "Payload": {"timeout": "1h", "unwrap": True, "taskToken.$": "$$.Task.Token"},
            },
            "End": True,
        },
    },
}
MAP = {
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "ItemProcessor": {
                "StartAt": "Ask",
                "States": {
                    "Ask": {
                        "Type": "Task",
                        "Resource": "arn:${Partition}:states:::lambda:invoke",
                        "Parameters": {
                            "FunctionName": "<CreateFunctionName>",
                            "Payload": {
                                "timeout": "1h",
                                "page": {
                                    "title": "How much?",
                                    "fields": {
                                        "type": "object",
                                        "required": ["amount"],
                                        "properties": {"amount": {"type": "number", "minimum.$": "$.least"}},
                                    },
                                },
                            },
                        },
                        "ResultPath": "$.made",
                        "Next": "Wait",
                    },
                    "Wait": {
                        "Type": "Task",
                        "Resource": "arn:${Partition}:states:::lambda:invoke.waitForTaskToken",
                        "Parameters": {
                            "FunctionName": "<WaitFunctionName>",
                            "Payload": {"waitpointId.$": "$.made.Payload.id", "taskToken.$": "$$.Task.Token"},
                        },
                        "Next": "Done",
                    },
                    "Done": {"Type": "Succeed"},
                },
            },
            "End": True,
        }
    },
}
"""Each item asks a person for an amount, with a least one of its own."""


@pytest.fixture
def waitpoints(stack: Stack, tmp_path: Path) -> CommandLine:
    return CommandLine(stack, tmp_path)


def test_a_token_is_created_awaited_and_completed(waitpoints: CommandLine) -> None:
    token = waitpoints.json("create", "--timeout", "1h", "--tag", "cli")
    with waitpoints.start("wait", token["id"]) as waiting:
        assert waitpoints.run("complete", token["id"], '{"approved": true}').returncode == 0
        printed, errors = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, json.loads(printed), errors) == (0, {"approved": True}, "")

    named = waitpoints.by_name()  # from here on by --stack: the outputs and the secret
    assert waitpoints.json("get", token["id"], "--stack", waitpoints.stack.stack_name, **named)["status"] == "COMPLETED"
    by_url = {"WAITPOINTS_URL": waitpoints.stack.api_url, "WAITPOINTS_API_KEY": waitpoints.stack.api_key}
    assert token["id"] in [listed["id"] for listed in waitpoints.json("list", "--tag", "cli", **by_url)]


def test_the_version_of_the_stack_is_in_its_outputs_and_its_console(waitpoints: CommandLine) -> None:
    by_url = {"WAITPOINTS_URL": waitpoints.stack.api_url, "WAITPOINTS_API_KEY": waitpoints.stack.api_key}
    for environment in ({}, by_url):
        done = waitpoints.run("--version", **environment)
        ours, theirs = done.stdout.splitlines()
        assert (done.returncode, done.stderr, ours) == (0, "", f"waitpoints {version.read()}")
        assert theirs.startswith(f"stack {version.read()} (")


def test_logs_have_the_lines_about_a_token(waitpoints: CommandLine) -> None:
    token = waitpoints.json("create")
    with waitpoints.start("logs", token["id"], "--follow", "--json") as logs:
        assert logs.stdout
        lines = [json.loads(logs.stdout.readline()) for _ in range(1)]
        waitpoints.run("complete", token["id"])
        while "won" not in lines[-1]["line"]:
            lines.append(json.loads(logs.stdout.readline()))
        logs.send_signal(signal.SIGINT)
        rest, errors = logs.communicate(timeout=PATIENCE)
    assert (logs.returncode, errors) == (130, "")
    assert {line["line"]["tokenId"] for line in lines} == {token["id"]}
    texts = [json.dumps(line) for line in lines] + rest.splitlines()
    assert len(texts) == len(set(texts)) >= 2  # each once


SLOW = """
import time
def handler(event, context):
    time.sleep(30)
"""


@pytest.fixture
def slow(stack: Stack) -> Iterator[str]:
    """A function that times out, with the role and the log of one of the stack's."""
    functions, package = stack.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("slow.py", SLOW)
    own = functions.get_function_configuration(FunctionName=stack.create_function_name)
    functions.create_function(
        FunctionName="slow",
        Runtime="python3.13",
        Handler="slow.handler",
        Role=own["Role"],
        Timeout=1,
        LoggingConfig=own["LoggingConfig"],
        Code={"ZipFile": package.getvalue()},
    )
    yield "slow"
    functions.delete_function(FunctionName="slow")


def test_logs_have_a_function_that_timed_out_and_nothing_else_of_lambda(
    waitpoints: CommandLine, stack: Stack, slow: str
) -> None:
    began = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    token = waitpoints.json("create")
    answer = stack.client("lambda").invoke(FunctionName=slow)
    assert json.load(answer["Payload"])["errorType"] == "Sandbox.Timedout"
    assert waitpoints.run("logs", token["id"]).stdout

    told = [json.loads(line)["line"] for line in waitpoints.run("logs", '"platform.', "--json").stdout.splitlines()]
    timed_out = {(kind, "timeout") for kind in ("platform.runtimeDone", "platform.report")}
    assert {(event["type"], event["record"]["status"]) for event in told} >= timed_out
    told = [json.loads(line) for line in waitpoints.run("logs", "--all", "--json").stdout.splitlines()]
    lines = json.dumps([line for line in told if line["at"] >= began])  # before that, other tests made a function log in text
    assert [text in lines for text in ("_aws", "RequestId: ", "platform.start")] == [True, False, False]


class TestTry:
    """The engine's events and time. `clients/local/tests/machine/test_run.py` has each option, on a stack that is played."""

    @pytest.mark.parametrize("name", APPROVALS)
    def test_runs_a_machine_and_its_curl_line_completes_it(self, waitpoints: CommandLine, name: str) -> None:
        need("curl")
        (waitpoints.folder / "machine.asl.json").write_text(APPROVALS[name])
        with waitpoints.start("try", "machine.asl.json") as run:
            shown = self.until(run, r"^ +curl ")
            line = shown.splitlines()[-1].strip()
            pasted = subprocess.run(["sh", "-euc", line], capture_output=True, text=True, timeout=PATIENCE, check=True)
            rest, errors = run.communicate(timeout=PATIENCE)
        assert json.loads(pasted.stdout) == {"success": True}
        assert (run.returncode, errors) == (0, "")
        assert "Wait for approval" in shown
        assert re.search(r"resumed\n.*Approved\?\n.*Approved\n.*SUCCEEDED\n", rest)
        assert json.loads(rest[rest.index("{") :]) == {"ok": True, "output": {"action": "approve"}}
        assert self.machines(waitpoints) == []

    def ended_by_what_it_prints(self, waitpoints: CommandLine, *words: str) -> list[Any]:
        """Try a machine, and paste the command of each token. Returns the events."""
        need("curl")
        with waitpoints.start("try", *words, "--json") as run:
            assert run.stdout
            events = []
            for event in map(json.loads, run.stdout):
                events.append(event)
                if event["event"] == "token":
                    pasted = ["sh", "-euc", event["token"]["command"]]
                    subprocess.run(pasted, cwd=waitpoints.folder, env=waitpoints.environment, timeout=PATIENCE, check=True)
            _, told = run.communicate(timeout=PATIENCE)
        assert run.returncode == 0, (events, told)
        assert events[-1]["event"] == "SUCCEEDED"
        assert self.machines(waitpoints) == []
        return events

    @pytest.mark.parametrize(
        "pattern",
        [pytest.param(it, marks=() if it == "two_of_three" else pytest.mark.thorough) for it in sorted(INPUTS)],
    )
    def test_ends_every_pattern_with_the_commands_that_it_prints(self, waitpoints: CommandLine, pattern: str) -> None:
        own = {"payment": ["orderId"], "create_and_wait": ["job"]}.get(pattern, ())  # the key of this run, of no other test
        given = json.dumps({**INPUTS[pattern], **{name: f"cli-{time.time_ns()}" for name in own}})
        self.ended_by_what_it_prints(waitpoints, f"{MACHINES}/{pattern}.asl.json", "--input", given)

    def test_names_each_item_of_a_map_and_answers_it_by_its_page(self, waitpoints: CommandLine) -> None:
        """Also by its line, which fills in what the page requires."""
        (waitpoints.folder / "map.asl.json").write_text(json.dumps(MAP))
        command = ("map.asl.json", "--input", json.dumps([{"least": 10}, {"least": 20}]))
        events = self.ended_by_what_it_prints(waitpoints, *command)
        fits = {tuple(it["items"]): (it["state"], it["token"]["fits"]["fields"]) for it in events if it["event"] == "token"}
        assert fits == {(0,): ("Wait", {"amount": 10}), (1,): ("Wait", {"amount": 20})}
        entered = sorted((it["state"], it.get("items", [])) for it in events if it["event"] == "entered")
        of_items = sorted((state, [item]) for state in ("Ask", "Wait", "Done") for item in (0, 1))
        assert entered == sorted([("Each", []), *of_items])

        (waitpoints.folder / "eleven.json").write_text('{"action": "submit", "fields": {"amount": 11}}')
        answers = ["--answer", "Wait=@eleven.json", "--answer", 'Wait[1]={"action": "submit", "fields": {"amount": 20}}']
        done = waitpoints.run("try", *command, *answers, "--json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert (done.returncode, done.stderr) == (0, ""), events
        gave = {it["items"][0]: it["answer"]["fields"] for it in events if it["event"] == "answered"}
        assert gave == {0: {"amount": 11}, 1: {"amount": 20}}
        left = [it for it in events if it["event"] == "left" and it["state"] == "Each"]
        assert [it["output"]["fields"] for it in left[0]["output"]] == [{"amount": 11}, {"amount": 20}]

    def test_lets_hours_pass_where_it_would_wait_and_says_so_where_it_does(self, waitpoints: CommandLine) -> None:
        (waitpoints.folder / "machine.asl.json").write_text(json.dumps(OVERNIGHT))
        pays = ["--stand-in", "Pay=fails Busy", "--stand-in", 'Pay={"paid": true}']
        done = waitpoints.run("try", "machine.asl.json", *pays, "--skip", "4h", "--skip", "10m", "--answer", "true", "--json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, (events, done.stderr)
        skipped = [(it["state"], it["what"], round(it["seconds"], -1)) for it in events if it["event"] == "skipped"]
        assert skipped == [("Night", "Wait", 14400), ("Pay", "Retry", 600)]
        instants = [datetime.fromisoformat(it["at"]) for it in events]
        assert (instants == sorted(instants), round((instants[-1] - instants[0]).total_seconds() / 600)) == (True, 25)

        done = waitpoints.run("try", "machine.asl.json", *pays, "--skip", "3h", "--for", "3s", "--answer", "true")
        assert (done.returncode, "skipped 3h: Wait" in done.stdout) == (2, True), done.stdout
        assert re.search(r"  waits until [-0-9]+ [0-9:]+ UTC; --skip 1h passes it\n", done.stdout), done.stdout
        why = 'It still runs after 3 s, and waits 1h in "Night", which --skip 1h lets pass: the execution is stopped\n'
        assert done.stderr.endswith(f"{why}Error: --answer for any state was not used: no state waited\n"), done.stderr

    def test_runs_a_machine_of_a_template_whose_stand_in_fails_twice_from_any_folder(
        self, waitpoints: CommandLine, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.mktemp("elsewhere")
        (folder / "template.json").write_text(json.dumps(TEMPLATE))
        stack_file = str(waitpoints.folder / ".local" / "stack.json")
        fails = [word for error in ("Busy", "Lambda.ServiceException") for word in ("--stand-in", f"Pay=fails {error}")]
        options = [*fails, "--stand-in", 'Pay={"paid": true}', "--answer", "Wait for approval=true", "--local", stack_file]
        done = waitpoints.run_in(folder, "try", "template.json#Machine", *options, "--json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, (events, done.stderr)
        assert [it["error"] for it in events if it["event"] == "failed"] == ["Busy", "Lambda.ServiceException"]
        assert events[-1]["output"] == {"paid": True}

    def test_finds_the_token_that_a_state_creates_and_is_stopped_by_ctrl_c(self, waitpoints: CommandLine, api: Api) -> None:
        given = json.dumps({"job": f"cli-{time.time_ns()}"})
        with waitpoints.start("try", f"{MACHINES}/create_and_wait.asl.json", "--input", given, "--json") as run:
            [*_, event] = map(json.loads, self.until(run, '"event": "token"').splitlines())
            assert [waiter["status"] for waiter in api.retrieve(event["token"])["waiters"]] == ["WAITING"]
            run.send_signal(signal.SIGINT)
            _, errors = run.communicate(timeout=PATIENCE)
        assert (run.returncode, errors) == (130, "Interrupted: the execution is stopped\n")
        assert self.machines(waitpoints) == []

    @staticmethod
    def until(process: subprocess.Popen[str], pattern: str) -> str:
        """What it prints until a line matches, with that line."""
        assert process.stdout
        shown = ""
        for line in process.stdout:
            shown += line
            if re.search(pattern, line):
                return shown
        raise AssertionError(shown)

    @staticmethod
    def machines(waitpoints: CommandLine) -> list[str]:
        found = waitpoints.stack.client("stepfunctions").list_state_machines()["stateMachines"]
        return [machine["name"] for machine in found if machine["name"].startswith("try-")]


def test_a_rotated_key_works_and_the_one_before_it_still_does(waitpoints: CommandLine, api: Api) -> None:
    done = waitpoints.run("rotate-key", "--yes", "--show", "--json")
    rotated = json.loads(done.stdout)
    try:
        assert "keeps working until the rotation after this one" in done.stderr
        assert json.loads((waitpoints.folder / ".local" / "stack.json").read_text())["api_key"] == rotated["apiKey"]
        assert waitpoints.run("create").returncode == 0  # with the new key
        assert api.create()["id"]  # with the one before it
    finally:  # for the tests that come later
        secrets = api.stack.client("secretsmanager")
        secrets.put_secret_value(SecretId=rotated["secret"], SecretString=api.stack.api_key)
