"""What the probes say of the answers of AWS and of a stack: each once as it should be, and once for each way to fail.

tests/e2e/test_aws_rehearsal.py runs them on the emulator.
"""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from waitpoints_client.ops.caller import TOKENS, Caller, RawAnswer, Unexpected

from tests.support.aws_answers import deployed
from tests.support.in_process.template import Template
from tests.support.processed_template import process
from tools.on_aws import measured, probes, used

RUN = "wp1a2b3c4d"
ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{RUN}/1"
BEGAN = datetime(2030, 1, 31, 12, tzinfo=UTC)
TEMPLATE = process(Template.load().body)
FUNCTIONS = [
    name for name, it in TEMPLATE["Resources"].items() if it["Type"] == "AWS::Lambda::Function" and "Condition" not in it
]
DEFAULTS = {name: str(it.get("Default", "")) for name, it in TEMPLATE["Parameters"].items()}
LIMITS = TEMPLATE["Resources"]["ApiApiGatewayDefaultStage"]["Properties"]
ALARMS = ["UnrepairedAlarm", "ApiFailedAlarm"]
OUTPUTS = {"ApiId": "abcdefghij", "ApiUrl": "https://api", "ApiKeySecret": "key", "Approval": "a", "QueueUrl": "https://queue"}
STACK = {"StackName": RUN, "CreationTime": BEGAN, "StackStatus": "CREATE_COMPLETE"}
EXECUTION = "arn:aws:lambda:eu-west-1:123456789012:function:approval:live/durable-execution/a/b"


def event(status: str, name: str = "Table", seconds: int = 0) -> dict[str, Any]:
    about = {"StackId": ID, "EventId": "1", "StackName": RUN, "ResourceStatus": status, "LogicalResourceId": name}
    return {**about, "Timestamp": BEGAN + timedelta(seconds=seconds)}


def resource(kind: str, name: str) -> dict[str, Any]:
    about = {"ResourceType": kind, "LogicalResourceId": name, "PhysicalResourceId": f"{RUN}-{name}"}
    return {**about, "LastUpdatedTimestamp": BEGAN, "ResourceStatus": "CREATE_COMPLETE"}


def limits(wanted: dict[str, Any]) -> dict[str, Any]:
    """A route's settings as API Gateway has them."""
    number = {name: int(DEFAULTS[it["Ref"]]) if isinstance(it, dict) else it for name, it in wanted.items()}
    return {"ThrottlingBurstLimit": number["ThrottlingBurstLimit"], "ThrottlingRateLimit": float(number["ThrottlingRateLimit"])}


def route_keys() -> set[str]:
    """Of the functions without a condition, by what SAM makes of their events."""
    paths = TEMPLATE["Resources"]["Api"]["Properties"]["Body"]["paths"]
    methods = [(method, path) for path, methods in paths.items() for method in methods if method != "Fn::If"]
    return {f"{'ANY' if method.startswith('x-') else method.upper()} {path}" for method, path in methods}


def bodies(processed: Any, original: Any) -> dict[str, Any]:
    return {"GetTemplate": [{"TemplateBody": json.dumps(it)} for it in (processed, original)]}


def metrics(*names: str) -> dict[str, Any]:
    return {"ListMetrics": [{"Metrics": [{"Namespace": "Waitpoints", "MetricName": it} for it in names]}, {"Metrics": []}]}


def states(*values: str, missing: str = "ignore") -> dict[str, Any]:
    of = {f"{RUN}-{name}": it for name, it in zip(ALARMS, values, strict=False)}
    about = [{"AlarmName": name, "StateValue": it, "TreatMissingData": missing} for name, it in of.items()]
    return {"DescribeAlarms": {"MetricAlarms": about}}


def lines(*messages: Any) -> dict[str, Any]:
    about = {"eventId": "1", "timestamp": 2000, "logStreamName": f"2030/01/31/{RUN}-CreateToken[$LATEST]abc"}
    found = [{**about, "message": it if isinstance(it, str) else json.dumps(it)} for it in messages]
    return {"FilterLogEvents": {"events": found}}


def report(**metrics: float) -> dict[str, Any]:
    return {"type": "platform.report", "record": {"metrics": {"maxMemoryUsedMB": 90, "memorySizeMB": 512, **metrics}}}


def execution(status: str, result: str = "") -> dict[str, Any]:
    about = {"DurableExecutionArn": EXECUTION, "DurableExecutionName": "a", "FunctionArn": "approval:live", "Version": "1"}
    return {"GetDurableExecution": {**about, "Status": status, "Result": result, "StartTimestamp": 0}}


def message(token: str, text: str) -> dict[str, Any]:
    return {"Messages": [{"Body": json.dumps({"detail": {"id": token, "error": {"message": text}}})}]}


RESOURCES = [
    *(resource("AWS::Lambda::Function", name) for name in FUNCTIONS),
    *(resource("AWS::CloudWatch::Alarm", name) for name in ALARMS),
    resource("AWS::Logs::LogGroup", "LogGroup"),
]
DEPLOYED: dict[str, Any] = {
    "ListStacks": {"StackSummaries": [{**STACK, "StackId": ID}]},
    "DescribeStacks": {"Stacks": [{
        **STACK,
        "Parameters": [{"ParameterKey": name, "ParameterValue": it} for name, it in DEFAULTS.items()],
        "Outputs": [{"OutputKey": name, "OutputValue": it} for name, it in OUTPUTS.items()],
    }]},
    "ListStackResources": {"StackResourceSummaries": RESOURCES},
    "DescribeStackResource": {"StackResourceDetail": RESOURCES[-1]},
    "GetSecretValue": {"SecretString": "key"},
    "GetFunctionConfiguration": {"LoggingConfig": {"LogFormat": "JSON", "LogGroup": "group"}},
    "UpdateFunctionConfiguration": {},
    "GetFunction": {"Configuration": {"LastUpdateStatus": "Successful"}},
    "Invoke": {"DurableExecutionArn": EXECUTION},
}  # fmt: skip
PRIVATE = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
SMALL = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}}
OTHER = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "a"}}}}
ROUTES = [{"RouteKey": key, "Target": "integrations/abc"} for key in sorted(route_keys())]
STAGE = {
    "StageName": "$default",
    "DefaultRouteSettings": limits(LIMITS["DefaultRouteSettings"]),
    "RouteSettings": {route: limits(it) for route, it in LIMITS["RouteSettings"].items()},
    "AccessLogSettings": {
        "DestinationArn": f"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/{RUN}/api",
        "Format": '{"route": "$context.routeKey", "status": "$context.status"}',
    },
}
TIMED_OUT = [{"tokenId": "1", "timedOut": True}, {"tokenId": "2", "timedOut": True}]
Case = tuple[str, dict[str, Any], str]
"""A probe, what AWS answers to each operation, or the stack with a status to each request, and what it says."""
GOOD: tuple[Case, ...] = (
    ("bucket", {"CreateBucket": {}, "PutBucketTagging": {}, "PutPublicAccessBlock": {},
                "GetPublicAccessBlock": {"PublicAccessBlockConfiguration": PRIVATE}}, "the-bucket in eu-west-1: private, with"),
    ("events", {"DescribeStackEvents": {"StackEvents": [event("CREATE_COMPLETE", seconds=90), event("CREATE_IN_PROGRESS")]}},
     "figure\tdeployment\t90 s"),
    ("template", bodies(SMALL, SMALL), "figure\tresources\t1, of which 0 differ"),
    ("routes", {"GetRoutes": {"Items": ROUTES}}, f"figure\troutes\t{len(ROUTES)}"),
    ("stage", {"GetStage": STAGE}, "figure\tlimits\t"),
    ("metrics", metrics("TokensCreated", "Unrepaired"), "figure\tmetrics\t2 exist; of 10 that alarms watch 1"),
    ("alarms", states("OK", "INSUFFICIENT_DATA"), "figure\talarms\t1 OK, 1 INSUFFICIENT_DATA"),
    ("logs", lines({"level": "INFO", "refused": "Unauthenticated"}), "figure\tlog: Unauthenticated\t1"),
    ("load", {}, "figure\tstatuses under load\t"),
    ("timeouts", lines(*TIMED_OUT), "figure\tlateness of timeouts\tp50 1000, p95 1000, worst 1000 ms of 2"),
    ("reports", lines(report(durationMs=9), report(durationMs=7, initDurationMs=400)),
     "figure\tfunction CreateToken\tcold start p50 400, p95 400, worst 400 ms of 1; duration p50 9,"),
    ("bus", {"ReceiveMessage": [{}, message("2", "No")]}, "its token ended, the token 2"),
)  # fmt: skip
DIFFERS: tuple[Case, ...] = (
    ("template", bodies(OTHER, SMALL), "AWS's transform makes another Topic than SAM's translator"),
    ("alarms", states("OK", "INSUFFICIENT_DATA", missing="breaching"), "1 alarms have no state, so"),
)
WRONG: tuple[Case, ...] = (
    ("bucket", {"CreateBucket": "BucketAlreadyExists"}, "BucketAlreadyExists"),
    ("bucket", {"PutBucketTagging": "AccessDenied"}, "calling the PutBucketTagging operation"),
    ("bucket", {"GetPublicAccessBlock": {"PublicAccessBlockConfiguration": {**PRIVATE, "BlockPublicAcls": False}}},
     "can be made public"),
    ("events", {"ListStacks": {"StackSummaries": []}}, f"has never had a stack {RUN}"),
    ("events", {"DescribeStackEvents": {"StackEvents": [event("CREATE_FAILED", "Api")]}}, "first ['Api: None']"),
    ("template", bodies({"Resources": {}}, SMALL), "but not {'Topic'}"),
    ("routes", {"GetRoutes": {"Items": ROUTES[1:]}}, f"it lacks ['{ROUTES[0]['RouteKey']}']"),
    ("routes", {"GetRoutes": {"Items": [*ROUTES, {"RouteKey": "GET /more"}]}}, "and has ['GET /more'] besides"),
    ("routes", {"GetRoutes": {"Items": [{**it, "Target": ""} for it in ROUTES]}}, "these lead nowhere"),
    ("stage", {"GetStage": {**STAGE, "RouteSettings": {}}}, "is None, not 1250"),
    ("stage", {"GetStage": {**STAGE, "DefaultRouteSettings": {"ThrottlingBurstLimit": 1}}}, "of default is 1, not 1000"),
    ("stage", {"GetStage": {**STAGE, "AccessLogSettings": {}}}, "the access log is"),
    ("metrics", metrics("Other"), "TokensCreated does not exist"),
    ("alarms", states("OK", "ALARM"), f"in ALARM: {RUN}-ApiFailedAlarm"),
    ("alarms", states("OK"), "2 alarms were made, 1 exist"),
    ("logs", lines("Traceback"), "bug: a line that is no JSON"),
    ("logs", lines({"level": "ERROR", "errorType": "KeyError"}), "bug: KeyError"),
    ("logs", lines({"type": "platform.report", "record": {"status": "timeout"}}), "ended with timeout"),
    ("load", {"callback": 429}, "not every request was answered 200"),
    ("load", {"create": 0}, "not every request was answered 200: {'create 0'"),
    ("timeouts", lines(TIMED_OUT[0]), "does not say of all tokens that they timed out"),
    ("timeouts", {"retrieve": 404}, "answered 404"),
    ("timeouts", {"waiting": 200}, "the tokens are {'WAITING': 2}"),
    ("reports", lines(), "the log has no report of Lambda"),
    ("reports", {"UpdateFunctionConfiguration": "AccessDenied"}, "calling the UpdateFunctionConfiguration operation"),
    ("bus", {"ReceiveMessage": message("1", "Yes")}, "its error is {'message': 'Yes'}"),
    ("bus", {"ReceiveMessage": {}}, "tokens came"),
    ("durable", execution("SUCCEEDED", '{"characters": 3}'), "it returned {'characters': 3}, not"),
    ("durable", execution("FAILED"), "it returned None, not"),
    ("durable", execution("RUNNING"), "the execution is still waiting"),
    *((name, {operation: "AccessDenied"}, "(AccessDenied) when calling") for name, answers, _ in GOOD[:8]
      for operation in [*answers][:1]),
)  # fmt: skip


class Api(Caller):
    """Callers of a stack whose API answers with these statuses. Nothing is waited for."""

    statuses: dict[str, int]
    made: int

    def request(self, method: str, url: str, body: bytes | None = None, *, key: str | None = None, **_: str) -> RawAnswer:
        name = "retrieve" if method == "GET" else "create" if url == TOKENS else "callback"
        if (status := self.statuses.get(name, 200)) == 0:
            raise Unexpected("no answer")
        Api.made += name == "create"
        about = {"id": str(Api.made), "url": "https://api/1", "timeoutAt": "1970-01-01T00:00:01Z", "waiters": [1]}
        state = "WAITING" if "waiting" in self.statuses else "TIMED_OUT"
        return RawAnswer(status, json.dumps({**about, "status": state}).encode())

    def wait_until(self, check: Any, otherwise: str, seconds: float | None = None) -> Any:
        if not (found := check()):
            raise Unexpected(otherwise)
        return found


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RUN": RUN, "BUCKET": "the-bucket", "QUIET": "0", "ARCHIVE": "archive"}.items():
        monkeypatch.setenv(name, value)
    clock = SimpleNamespace(sleep=lambda _: None, monotonic=iter(range(10_000)).__next__, time=lambda: 0)
    for module in (measured, used):
        monkeypatch.setattr(module, "Caller", Api)
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(measured, "TOKENS_THAT_TIME_OUT", 2)
    monkeypatch.setattr(measured, "subprocess", SimpleNamespace(run=lambda *_, **__: SimpleNamespace(stdout="smoke")))
    for name in ("deploy", "sam"):
        monkeypatch.setattr(used, name, lambda *_, **__: None)
    monkeypatch.setattr(used, "shutil", SimpleNamespace(copy=lambda *_: None))


def probed(name: str, answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    Api.made, Api.statuses = 0, answers
    good = {of: given for of, given, _ in GOOD}
    status = probes.probe(name, deployed(RUN, {**DEPLOYED, **good.get(name, {}), **answers}))
    return status, capsys.readouterr().out


@pytest.mark.parametrize("case", GOOD, ids=lambda it: it[0])
def test_what_is_as_it_should_be(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = probed(*case[:2], capsys)
    assert (status, case[2] in printed, "differs" in printed, "is right" in printed) == (0, True, False, False), printed


@pytest.mark.parametrize("case", DIFFERS, ids=lambda it: it[0])
def test_what_differs_does_not_fail(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = probed(*case[:2], capsys)
    assert (status, f"differs\t{case[2]}" in printed) == (0, True), printed


@pytest.mark.parametrize("case", WRONG, ids=lambda it: f"{it[0]}-{it[2]}")
def test_what_is_not(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = probed(*case[:2], capsys)
    assert (status, case[2] in printed.splitlines()[-1]) == (1, True), printed


def test_a_failure_is_right_where_it_is_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failed = SimpleNamespace(stdout="  failed   logs metrics, not each")
    monkeypatch.setattr(measured, "subprocess", SimpleNamespace(run=lambda *_, **__: failed))
    assert "One failure is right" in probed("reports", {}, capsys)[1]
