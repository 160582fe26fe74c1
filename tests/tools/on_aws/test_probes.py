"""What the probes say of AWS's answers, each once as it should be and once for each way to fail."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.aws_answers import deployed
from tests.support.in_process.template import Template
from tests.support.processed_template import process
from tools.on_aws import probes

RUN = "wp1a2b3c4d"
ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{RUN}/1"
OF_STACK = {"StackId": ID, "StackName": RUN}
BEGAN = datetime(2030, 1, 31, 12, tzinfo=UTC)
TEMPLATE = process(Template.load().body)
FUNCTIONS = [
    name for name, it in TEMPLATE["Resources"].items() if it["Type"] == "AWS::Lambda::Function" and "Condition" not in it
]
DEFAULTS = {name: str(it.get("Default", "")) for name, it in TEMPLATE["Parameters"].items()}
LIMITS = TEMPLATE["Resources"]["ApiApiGatewayDefaultStage"]["Properties"]


def event(status: str, name: str = "Table", seconds: int = 0) -> dict[str, Any]:
    at = BEGAN + timedelta(seconds=seconds)
    return {
        "StackId": ID,
        "EventId": "1",
        "StackName": RUN,
        "Timestamp": at,
        "ResourceStatus": status,
        "LogicalResourceId": name,
    }


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


ALARMS = ["UnrepairedAlarm", "ApiFailedAlarm"]
ROUTES = {"Items": [{"RouteKey": key, "Target": "integrations/abc"} for key in sorted(route_keys())]}
STAGE = {
    "StageName": "$default",
    "DefaultRouteSettings": limits(LIMITS["DefaultRouteSettings"]),
    "RouteSettings": {route: limits(it) for route, it in LIMITS["RouteSettings"].items()},
    "AccessLogSettings": {
        "DestinationArn": f"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/{RUN}/api",
        "Format": '{"route": "$context.routeKey", "status": "$context.status"}',
    },
}
DEPLOYED = {
    "ListStacks": {
        "StackSummaries": [{"StackId": ID, "StackName": RUN, "CreationTime": BEGAN, "StackStatus": "CREATE_COMPLETE"}]
    },
    "DescribeStacks": {
        "Stacks": [
            {
                "StackName": RUN,
                "CreationTime": BEGAN,
                "StackStatus": "CREATE_COMPLETE",
                "Parameters": [{"ParameterKey": name, "ParameterValue": it} for name, it in DEFAULTS.items()],
                "Outputs": [{"OutputKey": "ApiId", "OutputValue": "abcdefghij"}],
            }
        ]
    },
    "ListStackResources": {
        "StackResourceSummaries": [
            *(resource("AWS::Lambda::Function", name) for name in FUNCTIONS),
            *(resource("AWS::CloudWatch::Alarm", name) for name in ALARMS),
            resource("AWS::Logs::LogGroup", "LogGroup"),
        ]
    },
}
PRIVATE = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
SMALL = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}}


def bodies(processed: Any, original: Any) -> list[Any]:
    return [{"TemplateBody": json.dumps(it)} for it in (processed, original)]


def metric(name: str) -> dict[str, Any]:
    return {"Metrics": [{"Namespace": "Waitpoints", "MetricName": name}]}


def states(*values: str, missing: str = "ignore") -> dict[str, Any]:
    of = {f"{RUN}-{name}": it for name, it in zip(ALARMS, values, strict=False)}
    return {"MetricAlarms": [{"AlarmName": name, "StateValue": it, "TreatMissingData": missing} for name, it in of.items()]}


def lines(*messages: Any) -> dict[str, Any]:
    texts = [it if isinstance(it, str) else json.dumps(it) for it in messages]
    return {"events": [{"eventId": str(number), "timestamp": 0, "message": it} for number, it in enumerate(texts)]}


GOOD: dict[str, tuple[dict[str, Any], str]] = {
    "bucket": (
        {
            "CreateBucket": {},
            "PutBucketTagging": {},
            "PutPublicAccessBlock": {},
            "GetPublicAccessBlock": {"PublicAccessBlockConfiguration": PRIVATE},
        },
        "the-bucket in eu-west-1: private, with the run's tag",
    ),
    "events": (
        {"DescribeStackEvents": {"StackEvents": [event("CREATE_COMPLETE", seconds=90), event("CREATE_IN_PROGRESS")]}},
        "90 s",
    ),
    "template": (
        {"GetTemplate": bodies(SMALL, SMALL)},
        "figure\tresources\t1, of which 0 differ",
    ),
    "routes": ({"GetRoutes": ROUTES}, f"figure\troutes\t{len(ROUTES['Items'])}"),
    "stage": ({"GetStage": STAGE}, "figure\tlimits\t"),
    "metrics": (
        {"ListMetrics": [{"Metrics": metric("TokensCreated")["Metrics"] + metric("Unrepaired")["Metrics"]}, {"Metrics": []}]},
        "figure\tmetrics\t2 exist; of 10 that alarms watch 1",
    ),
    "alarms": ({"DescribeAlarms": states("OK", "INSUFFICIENT_DATA")}, "figure\talarms\t1 OK, 1 INSUFFICIENT_DATA"),
    "logs": ({"FilterLogEvents": lines({"level": "INFO", "refused": "Unauthenticated"})}, "figure\tlog: Unauthenticated\t1"),
}
CHANGED: list[tuple[str, str, Any, str]] = [
    ("bucket", "CreateBucket", "BucketAlreadyExists", "BucketAlreadyExists"),
    ("bucket", "PutBucketTagging", "AccessDenied", "calling the PutBucketTagging operation"),
    (
        "bucket",
        "GetPublicAccessBlock",
        {"PublicAccessBlockConfiguration": {**PRIVATE, "BlockPublicAcls": False}},
        "can be made public",
    ),
    ("events", "ListStacks", {"StackSummaries": []}, f"has never had a stack {RUN}"),
    (
        "events",
        "DescribeStackEvents",
        {"StackEvents": [event("CREATE_FAILED", "Api")]},
        "first ['Api: None']",
    ),
    (
        "template",
        "GetTemplate",
        [{"TemplateBody": '{"Resources": {}}'}, {"TemplateBody": json.dumps(SMALL)}],
        "but not {'Topic'}",
    ),
    ("routes", "GetRoutes", {"Items": ROUTES["Items"][1:]}, f"it lacks ['{ROUTES['Items'][0]['RouteKey']}']"),
    ("routes", "GetRoutes", {"Items": [*ROUTES["Items"], {"RouteKey": "GET /more"}]}, "and has ['GET /more'] besides"),
    ("routes", "GetRoutes", {"Items": [{**it, "Target": ""} for it in ROUTES["Items"]]}, "these lead nowhere"),
    ("stage", "GetStage", {**STAGE, "RouteSettings": {}}, "is None, not 1250"),
    ("stage", "GetStage", {**STAGE, "DefaultRouteSettings": {"ThrottlingBurstLimit": 1}}, "of default is 1, not 1000"),
    ("stage", "GetStage", {**STAGE, "AccessLogSettings": {}}, "the access log is"),
    ("metrics", "ListMetrics", [metric("Other"), {"Metrics": []}], "TokensCreated does not exist"),
    ("alarms", "DescribeAlarms", states("OK", "ALARM"), f"in ALARM: {RUN}-ApiFailedAlarm"),
    ("alarms", "DescribeAlarms", states("OK"), "2 alarms were made, 1 exist"),
    ("logs", "FilterLogEvents", lines("Traceback"), "bug: a line that is no JSON"),
    ("logs", "FilterLogEvents", lines({"level": "ERROR", "errorType": "KeyError"}), "bug: KeyError"),
    ("logs", "FilterLogEvents", lines({"type": "platform.report", "record": {"status": "timeout"}}), "ended with timeout"),
    *((name, next(iter(answers)), "AccessDenied", "(AccessDenied) when calling") for name, (answers, _) in GOOD.items()),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RUN": RUN, "BUCKET": "the-bucket", "QUIET": "0"}.items():
        monkeypatch.setenv(name, value)


def probed(name: str, answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = probes.probe(name, deployed(RUN, {**DEPLOYED, **answers}))
    return status, capsys.readouterr().out


@pytest.mark.parametrize("name", GOOD)
def test_what_is_as_it_should_be(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    answers, said = GOOD[name]
    status, printed = probed(name, answers, capsys)
    assert (status, said in printed, "differs" in printed) == (0, True, False), printed


@pytest.mark.parametrize(("name", "operation", "answer", "said"), CHANGED)
def test_what_is_not(name: str, operation: str, answer: Any, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = probed(name, {**GOOD[name][0], operation: answer}, capsys)
    assert (status, said in printed.splitlines()[-1]) == (1, True), printed


OTHER = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "a"}}}}


@pytest.mark.parametrize(
    ("name", "answers", "said"),
    [
        ("template", {"GetTemplate": bodies(OTHER, SMALL)}, "AWS's transform makes another Topic than SAM's translator"),
        ("alarms", {"DescribeAlarms": states("OK", "INSUFFICIENT_DATA", missing="breaching")}, "1 alarms have no state, so"),
    ],
)
def test_what_differs_does_not_fail(name: str, answers: Any, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = probed(name, answers, capsys)
    assert (status, f"differs\t{said}" in printed) == (0, True), printed
