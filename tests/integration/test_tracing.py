"""Traces: none by default. With Tracing=Active, one from the callback to the resume, with the id of the token and no secret."""

import copy
import json
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from in_process.template import ROOT, Template
from tests.support.processed_template import process, processed
from tests.support.traced_wait import PARENT, ROOTS

pytestmark = pytest.mark.slow  # starts a process that traces

FUNCTIONS = Template.load().functions()


@pytest.fixture(scope="module")
def traced() -> tuple[dict[str, Any], list[Any]]:
    """What a traced wait printed, and what it sent to the daemon: a loopback port that stands for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        environment = {
            **os.environ,
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
            "LAMBDA_TASK_ROOT": "/var/task",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "functions")]),
            "TRACING": "Active",
        }
        command = [sys.executable, "-m", "tests.support.traced_wait"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        daemon.settimeout(0.2)
        sent = []
        try:
            while True:
                sent.append(daemon.recv(65_535).decode())
        except TimeoutError:
            return json.loads(done.stdout.splitlines()[-1]), [json.loads(text.partition("\n")[2]) for text in sent]


def parts(sent: list[Any], root: str) -> list[Any]:
    """Every part of a trace, those within others too."""
    found = [part for part in sent if part["trace_id"] == root]
    for part in found:
        found += [{**inner, "trace_id": root} for inner in part.get("subsegments", [])]
    return found


def calls(sent: list[Any], root: str) -> list[str]:
    return [part["aws"]["operation"] for part in parts(sent, root) if part.get("namespace") == "aws"]


def test_one_trace_leads_from_the_callback_to_the_resume(traced: tuple[dict[str, Any], list[Any]]) -> None:
    wait, sent = traced
    assert {"UpdateItem", "PutObject", "SendTaskSuccess"} <= set(calls(sent, ROOTS["callback"]))
    assert "PutItem" in calls(sent, ROOTS["create"])
    for root in ROOTS.values():
        [line] = [part for part in parts(sent, root) if part["name"] == "## request"]
        assert (line["parent_id"], line["annotations"]) == (PARENT, {"tokenId": wait["id"]})


def test_a_trace_has_no_secret_and_no_message_of_an_error(traced: tuple[dict[str, Any], list[Any]]) -> None:
    wait, sent = traced
    [resume] = [part for part in parts(sent, ROOTS["callback"]) if part.get("aws", {}).get("operation") == "SendTaskSuccess"]
    assert resume["http"]["response"]["status"] == 400  # moto never gave out this task token
    assert [secret for secret in wait["secrets"] if secret in json.dumps(sent)] == []
    annotations = [part["annotations"] for root in ROOTS.values() for part in parts(sent, root) if "annotations" in part]
    assert annotations == [{"tokenId": wait["id"]}] * 2
    for part in (part for root in ROOTS.values() for part in parts(sent, root)):
        assert not {"cause", "metadata", "sql"} & part.keys()


def test_by_default_nothing_of_it_is_there() -> None:
    functions = processed().resources("AWS::Lambda::Function").values()
    assert [it for it in functions if "TracingConfig" in it] == []
    assert Template.load().parameters["Tracing"] == "Disabled"
    assert "xray" not in json.dumps(processed().resources("AWS::IAM::Role")).lower()
    imported = "import sys; sys.path.insert(0, 'functions'); import waitpoints.telemetry; print([*sys.modules])"
    names = subprocess.run([sys.executable, "-c", imported], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "waitpoints.telemetry" in names
    assert "aws_xray_sdk" not in names
    assert "waitpoints.tracing" not in names


def test_an_active_stack_traces_every_function_with_the_layer_and_the_right_to() -> None:
    body = copy.deepcopy(Template.load().body)
    body["Parameters"]["Tracing"]["Default"] = "Active"
    active = Template(process(body))
    functions = active.resources("AWS::Lambda::Function")
    assert len(functions) == len(FUNCTIONS)
    for function in functions.values():
        assert active.resolve(function["TracingConfig"], {}) == {"Mode": "Active"}
        assert {"Fn::If": ["HasTracing", {"Ref": "TracingLayer"}, {"Ref": "AWS::NoValue"}]} in references(function["Layers"])
        role = active.body["Resources"][function["Role"]["Fn::GetAtt"][0]]["Properties"]
        assert any("xray" in str(arn).lower() for arn in role["ManagedPolicyArns"])


def references(layers: list[Any]) -> list[Any]:
    """The layers, without the hash that SAM appends to their logical ids."""
    return json.loads(json.dumps(layers).replace(layer_id(), "TracingLayer"))  # type: ignore[no-any-return]


def layer_id() -> str:
    [found] = [name for name in processed().resources("AWS::Lambda::LayerVersion") if name.startswith("TracingLayer")]
    return found
