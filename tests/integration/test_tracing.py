"""Traces: none by default. With Tracing=Active, one from the callback to the resume, with the id of the token and no secret."""

import base64
import copy
import json
import os
import socket
import sys
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.in_process.template import EVERYTHING, ROOT, Template
from tests.support.processed_template import made, process, processed
from tests.support.programs import ended, printed
from tests.support.traced_wait import PARENT, ROOTS, TRACEPARENT

pytestmark = pytest.mark.slow  # starts a process that traces

FUNCTIONS = Template.load(EVERYTHING).functions()


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
        done = ended(command, environment=environment)
        assert done.returncode == 0, done.stderr
        daemon.settimeout(0.2)
        sent: list[Any] = []
        try:
            while True:
                sent += decoded(daemon.recv(65_535))
        except TimeoutError:
            return json.loads(done.stdout.splitlines()[-1]), sent


def decoded(datagram: bytes) -> list[Any]:
    """The spans of what the daemon gets, as AWS's own exporter sends it."""
    header, _, body = datagram.partition(b"\n")
    assert (json.loads(header), body[:3]) == ({"format": "json", "version": 1}, b"T1S")
    sent = ExportTraceServiceRequest.FromString(base64.b64decode(body[3:], validate=True))
    [resource] = sent.resource_spans
    assert attributes(resource.resource) == {"service.name": "waitpoints"}
    return [span for scope in resource.scope_spans for span in scope.spans]


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span or a resource."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


def spans(sent: list[Any], root: str) -> list[Any]:
    return [span for span in sent if span.trace_id.hex() == root[2:].replace("-", "")]


def calls(sent: list[Any], root: str) -> dict[str, Any]:
    """The calls to AWS of a trace, by operation."""
    return {attributes(span)["rpc.method"]: span for span in spans(sent, root) if span.kind == Span.SPAN_KIND_CLIENT}


def line(sent: list[Any], root: str) -> Any:
    [found] = [span for span in spans(sent, root) if span.name == "## request"]
    return found


def test_one_trace_leads_from_the_callback_to_the_resume(traced: tuple[dict[str, Any], list[Any]]) -> None:
    wait, sent = traced
    assert {"UpdateItem", "PutObject", "SendTaskSuccess"} <= calls(sent, ROOTS["callback"]).keys()
    assert "PutItem" in calls(sent, ROOTS["create"])
    for root in ROOTS.values():
        request = line(sent, root)
        assert request.parent_span_id.hex() == PARENT
        found = attributes(request)
        assert [value.string_value for value in found.pop("aws.xray.annotations").values] == ["tokenId"]
        assert found == {"tokenId": wait["id"]}
        assert {call.parent_span_id for call in calls(sent, root).values()} == {request.span_id}
    assert {span.trace_id.hex() for span in sent} == {root[2:].replace("-", "") for root in ROOTS.values()}


def test_the_resume_is_linked_to_the_span_of_the_create(traced: tuple[dict[str, Any], list[Any]]) -> None:
    _, sent = traced
    [link] = line(sent, ROOTS["callback"]).links
    assert (link.trace_id.hex(), link.span_id.hex()) == (TRACEPARENT[3:35], TRACEPARENT[36:52])
    assert list(line(sent, ROOTS["create"]).links) == []


def test_a_trace_has_no_secret_and_no_message_of_an_error(traced: tuple[dict[str, Any], list[Any]]) -> None:
    wait, sent = traced
    resume = calls(sent, ROOTS["callback"])["SendTaskSuccess"]  # moto never gave out this task token
    shown = {"rpc.system": "aws-api", "rpc.service": "SFN", "rpc.method": "SendTaskSuccess", "http.response.status_code": 400}
    assert (attributes(resume), resume.status) == (shown, Status(code=Status.STATUS_CODE_ERROR))
    assert [secret for secret in wait["secrets"] if secret in str(sent)] == []
    assert [span for span in sent if span.events or span.status.message or span.trace_state] == []


def test_by_default_nothing_of_it_is_there() -> None:
    functions = processed().resources("AWS::Lambda::Function").values()
    assert [it for it in functions if "TracingConfig" in it] == []
    assert Template.load().parameters["Tracing"] == "Disabled"
    assert "xray" not in json.dumps(made()).lower()
    imported = "import sys; sys.path.insert(0, 'functions'); import waitpoints.telemetry; print([*sys.modules])"
    names = printed([sys.executable, "-c", imported])
    assert "waitpoints.telemetry" in names
    assert "opentelemetry" not in names
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
    return json.loads(json.dumps(layers).replace(layer_id(), "TracingLayer"))


def layer_id() -> str:
    [found] = [name for name in processed().resources("AWS::Lambda::LayerVersion") if name.startswith("TracingLayer")]
    return found
