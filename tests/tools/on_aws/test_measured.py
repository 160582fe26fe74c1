"""What the probes that use a stack say of its answers. tests/e2e/test_aws_rehearsal.py runs them on the emulator."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from waitpoints_client.ops.caller import TOKENS, Caller, RawAnswer, Unexpected

from tests.support.aws_answers import deployed
from tools.on_aws import measured, probes, used

RUN = "wp1a2b3c4d"
OUTPUTS = {"ApiUrl": "https://api", "ApiKeySecret": "key", "Approval": "approval", "QueueUrl": "https://queue"}
STACK = {"StackName": RUN, "CreationTime": 0, "StackStatus": "CREATE_COMPLETE"}
EXECUTION = "arn:aws:lambda:eu-west-1:123456789012:function:approval:live/durable-execution/a/b"


def logged(*lines: Any, stream: str = "2030/01/31/wp-CreateToken[$LATEST]abc") -> dict[str, Any]:
    found = [{"eventId": "1", "timestamp": 2000, "message": json.dumps(it), "logStreamName": stream} for it in lines]
    return {"events": found}


def resource(kind: str, name: str) -> dict[str, Any]:
    about = {"LogicalResourceId": name, "PhysicalResourceId": f"wp-{name}", "ResourceType": kind}
    return {**about, "LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE"}


def report(**metrics: float) -> dict[str, Any]:
    return {"type": "platform.report", "record": {"metrics": {"maxMemoryUsedMB": 90, "memorySizeMB": 512, **metrics}}}


def execution(status: str, result: str) -> dict[str, Any]:
    about = {"DurableExecutionArn": EXECUTION, "DurableExecutionName": "a", "FunctionArn": "approval:live", "Version": "1"}
    return {**about, "Status": status, "Result": result, "StartTimestamp": 0}


def event(token: str, message: str) -> dict[str, Any]:
    return {"Messages": [{"Body": json.dumps({"detail": {"id": token, "error": {"message": message}}})}]}


TIMED_OUT = [{"tokenId": "1", "timedOut": True}, {"tokenId": "2", "timedOut": True}]
ANSWERS: dict[str, Any] = {
    "DescribeStacks": {"Stacks": [{**STACK, "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in OUTPUTS.items()]}]},
    "DescribeStackResource": {"StackResourceDetail": resource("AWS::Logs::LogGroup", "group")},
    "ListStackResources": {"StackResourceSummaries": [resource("AWS::Lambda::Function", "CreateToken")]},
    "GetSecretValue": {"SecretString": "key"},
    "GetFunctionConfiguration": {"LoggingConfig": {"LogFormat": "JSON", "LogGroup": "group"}},
    "UpdateFunctionConfiguration": {},
    "GetFunction": {"Configuration": {"LastUpdateStatus": "Successful"}},
    "ReceiveMessage": event("2", "No"),
    "Invoke": {"DurableExecutionArn": EXECUTION},
}
SAID = {
    "load": ("callback 200, ", "statuses under load"),
    "timeouts": ("p50 1000, p95 1000, worst 1000 ms of 2", "lateness of timeouts"),
    "reports": ("cold start p50 400, p95 400, worst 400 ms of 1; duration p50 9,", "function CreateToken"),
    "bus": ("the token 2", "event"),
}
LINES = {
    "timeouts": logged(*TIMED_OUT),
    "reports": logged(report(durationMs=9), report(durationMs=7, initDurationMs=400)),
    "load": {},
    "bus": {},
}
WRONG: list[tuple[str, dict[str, Any], dict[str, int], str]] = [
    ("load", {}, {"callback": 429}, "not every request was answered 200"),
    ("load", {}, {"create": 0}, "not every request was answered 200: {'create 0'"),
    ("timeouts", {"FilterLogEvents": logged(TIMED_OUT[0])}, {}, "does not say of all tokens that they timed out"),
    ("timeouts", {}, {"retrieve": 404}, "answered 404"),
    ("timeouts", {}, {"waiting": 200}, "the tokens are {'WAITING': 2}"),
    ("reports", {"FilterLogEvents": logged()}, {}, "the log has no report of Lambda"),
    ("reports", {"UpdateFunctionConfiguration": "AccessDenied"}, {}, "calling the UpdateFunctionConfiguration operation"),
    ("bus", {"ReceiveMessage": event("1", "Yes")}, {}, "its error is {'message': 'Yes'}"),
    ("bus", {"ReceiveMessage": {}}, {}, "tokens came"),
    ("durable", {"GetDurableExecution": execution("SUCCEEDED", '{"characters": 3}')}, {}, "it returned {'characters': 3}, not"),
    ("durable", {"GetDurableExecution": execution("FAILED", "")}, {}, "it returned None, not"),
    ("durable", {"GetDurableExecution": execution("RUNNING", "")}, {}, "the execution is still waiting"),
]


class Api(Caller):
    """Callers of a stack whose API answers with these statuses. Nothing is waited for."""

    statuses: dict[str, int]
    made: int

    def request(self, method: str, url: str, body: bytes | None = None, *, key: str | None = None, **_: str) -> RawAnswer:
        name = "retrieve" if method == "GET" else "create" if url == TOKENS else "callback"
        if (status := self.statuses.get(name, 200)) == 0:
            raise Unexpected("no answer")
        Api.made += name == "create"
        state = "WAITING" if "waiting" in self.statuses else "TIMED_OUT"
        token = {
            "id": str(Api.made),
            "url": "https://api/1",
            "timeoutAt": "1970-01-01T00:00:01Z",
            "status": state,
            "waiters": [1],
        }
        return RawAnswer(status, json.dumps(token).encode())

    def wait_until(self, check: Any, otherwise: str, seconds: float | None = None) -> Any:
        if not (found := check()):
            raise Unexpected(otherwise)
        return found


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (measured, used):
        monkeypatch.setattr(module, "Caller", Api)
        monkeypatch.setattr(
            module, "time", SimpleNamespace(sleep=lambda _: None, monotonic=iter(range(10_000)).__next__, time=lambda: 0)
        )
    monkeypatch.setattr(measured, "TOKENS_THAT_TIME_OUT", 2)
    monkeypatch.setattr(measured, "subprocess", SimpleNamespace(run=lambda *_, **__: SimpleNamespace(stdout="smoke")))
    monkeypatch.setattr(used, "deploy", lambda *_: None)
    monkeypatch.setattr(used, "sam", lambda *_, **__: None)
    monkeypatch.setattr(used, "shutil", SimpleNamespace(copy=lambda *_: None))
    monkeypatch.setenv("ARCHIVE", "archive")
    Api.made, Api.statuses = 0, {}


def probed(name: str, answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    given = {**ANSWERS, "FilterLogEvents": LINES.get(name, {}), **answers}
    status = probes.probe(name, deployed(RUN, given))
    return status, capsys.readouterr().out


@pytest.mark.parametrize("name", SAID)
def test_what_is_as_it_should_be(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    messages = [{}, ANSWERS["ReceiveMessage"]] if name == "bus" else {}
    status, printed = probed(name, {"ReceiveMessage": messages}, capsys)
    value, figure = SAID[name]
    [line] = [it for it in printed.splitlines() if it.startswith(f"figure\t{figure}")]
    assert (status, value in line) == (0, True), printed


@pytest.mark.parametrize("failed", ["", "  failed   logs metrics, not each"])
def test_a_failure_is_right_where_it_is_there(
    failed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measured, "subprocess", SimpleNamespace(run=lambda *_, **__: SimpleNamespace(stdout=failed)))
    assert ("One failure is right" in probed("reports", {}, capsys)[1]) == bool(failed)


@pytest.mark.parametrize(("name", "answers", "statuses", "said"), WRONG)
def test_what_is_not(
    name: str, answers: dict[str, Any], statuses: dict[str, int], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Api.statuses = statuses
    status, printed = probed(name, answers, capsys)
    assert (status, said in printed.splitlines()[-1]) == (1, True), printed
