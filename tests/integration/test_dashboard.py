"""The dashboard of template.yaml shows what the code emits and what AWS documents, of every function and alarm."""

import json
import re
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest

from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import CHANNELS, EVERYTHING, ROOT, SIGN_IN, STACK_NAME, Template
from waitpoints.resumer import metric_of
from waitpoints.token import ReplyKind, Source


@dataclass(frozen=True)
class Metric:
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


def spelled_out(short: list[list[Any]]) -> list[Metric]:
    """Return metrics without the short forms of CloudWatch's "Dashboard Body Structure and Syntax".

    "." repeats what stands in the same place of the metric before, and "..." everything but the last value.
    """
    found, before = [], [""]
    for entry in short:
        given = [value for value in entry if not isinstance(value, dict)]
        if given[0] == "...":
            given = before[: len(before) + 1 - len(given)] + given[1:]
        before = [before[place] if value == "." else value for place, value in enumerate(given)]
        namespace, name, *rest = before
        found.append(Metric(namespace, name, tuple(zip(rest[::2], rest[1::2], strict=True))))
    return found


TEMPLATE = Template.load()
[PROPERTIES] = TEMPLATE.resources("AWS::CloudWatch::Dashboard").values()
TEXT, VARIABLES = PROPERTIES["DashboardBody"]["Fn::Sub"]
CONDITIONAL = {  # an alarm, and the parameters with which a stack has it
    "OldestWaitingAlarm": {"LongestWaitDays": "7"},
    "NoticesRefusedAlarm": {"Teams": "on"},
}


def shown(**parameters: str) -> list[Any]:
    """Return the widgets of a stack with these parameters, with the names of resources as they stand in the template."""
    names = {
        name: {"Ref": f"${{{name}}}", "Arn": f"${{{name}.Arn}}", "QueueName": f"${{{name}.QueueName}}"}
        for name in TEMPLATE.body["Resources"]
    }
    text: str = TEXT
    for name, value in Template.load(parameters).resolve(VARIABLES, names).items():
        text = text.replace(f"${{{name}}}", value)
    return json.loads(text)["widgets"]


WIDGETS = shown()


def metrics_of(widgets: list[Any]) -> list[Metric]:
    return [metric for widget in widgets for metric in spelled_out(widget["properties"].get("metrics", []))]


METRICS = metrics_of(shown(**CHANNELS))
STACK = "${AWS::StackName}"
# What AWS measures, by which dimensions: the type of the resource, or the values
DOCUMENTED = {
    # docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    ("AWS/Lambda", "Errors", "FunctionName"): "AWS::Serverless::Function",
    ("AWS/Lambda", "Invocations", "FunctionName"): "AWS::Serverless::Function",
    ("AWS/Lambda", "IteratorAge", "FunctionName"): "AWS::Serverless::Function",
    ("AWS/Lambda", "Throttles", "FunctionName"): "AWS::Serverless::Function",
    # docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    ("AWS/ApiGateway", "4xx", "ApiId"): "AWS::Serverless::HttpApi",
    ("AWS/ApiGateway", "5xx", "ApiId"): "AWS::Serverless::HttpApi",
    ("AWS/ApiGateway", "Count", "ApiId"): "AWS::Serverless::HttpApi",
    ("AWS/ApiGateway", "Latency", "ApiId"): "AWS::Serverless::HttpApi",
    # docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName"): "AWS::DynamoDB::Table",
    # docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"): "AWS::SQS::Queue",
    # docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
    ("AWS/Scheduler", "InvocationAttemptCount", "ScheduleGroup"): "AWS::Scheduler::ScheduleGroup",
}
BY_NAME = {"QueueName"}  # dimensions that hold an attribute of the resource, not what Ref returns


def emitted() -> set[str]:
    """The name of every metric that a function emits."""
    code = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    names = set(re.findall(r'telemetry\.(?:count|measure|record_milliseconds)\(\s*"(\w+)"', code))
    made_up = set(re.findall(r'telemetry\.count\(f"(\w+)', code))
    assert made_up == {"TokensSettledBy"}, "a name that is made up: add what it can be"
    names |= {f"TokensSettledBy{source.capitalize()}" for source in Source}
    return names | {metric_of(kind) for kind in ReplyKind}


def counted_in_logs() -> set[str]:
    """The name of every metric that a filter takes from a log group."""
    filters = TEMPLATE.resources("AWS::Logs::MetricFilter").values()
    return {it["MetricName"] for one in filters for it in one["MetricTransformations"]}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: f"{metric.name} {metric.dimensions}")
def test_every_metric_exists(metric: Metric) -> None:
    if metric.namespace == "Waitpoints":
        assert metric.name in emitted()
        assert metric.dimensions == (("service", STACK),)
        return
    if metric.namespace == f"Waitpoints/{STACK}":
        assert metric.name in counted_in_logs()
        assert metric.dimensions == ()
        return
    (dimension, value), *index = metric.dimensions
    kind = DOCUMENTED[metric.namespace, metric.name, dimension]
    logical_id, _, attribute = value.removeprefix("${").removesuffix("}").partition(".")
    assert logical_id in TEMPLATE.resources(kind)
    assert attribute == (dimension if dimension in BY_NAME else "")
    if index:
        [table] = TEMPLATE.resources("AWS::DynamoDB::Table").values()
        names = {it["IndexName"] for it in table["GlobalSecondaryIndexes"]}
        assert index[0][0] == "GlobalSecondaryIndexName"
        assert index[0][1] in names


@pytest.mark.parametrize("parameters", [{}, {"MailFrom": "a@example.com"}, {"Slack": "on"}, SIGN_IN, EVERYTHING], ids=str)
@pytest.mark.parametrize("metric", ["Errors", "Throttles", "Invocations"])
def test_every_function_is_shown_that_the_stack_has(metric: str, parameters: dict[str, str]) -> None:
    metrics = metrics_of(shown(**parameters))
    found = [dict(it.dimensions)["FunctionName"] for it in metrics if (it.namespace, it.name) == ("AWS/Lambda", metric)]
    functions = Template.load(parameters).functions().values()
    assert sorted(found) == sorted(f"${{{function.logical_id}}}" for function in functions)


@pytest.mark.parametrize("name", ["NoticesRefused", "${NoticeQueue.QueueName}"])
def test_what_people_are_told_is_shown_only_if_they_are(name: str) -> None:
    assert name in json.dumps(shown(**CHANNELS))
    assert name not in json.dumps(WIDGETS)


def test_every_index_is_shown() -> None:
    [table] = TEMPLATE.resources("AWS::DynamoDB::Table").values()
    shown = {dict(it.dimensions).get("GlobalSecondaryIndexName") for it in METRICS if it.namespace == "AWS/DynamoDB"}
    assert shown == {None, *(index["IndexName"] for index in table["GlobalSecondaryIndexes"])}


@pytest.mark.parametrize("name", [None, *CONDITIONAL])
def test_every_alarm_is_shown_that_the_stack_has(name: str | None) -> None:
    parameters = CONDITIONAL[name] if name else {}
    template, resources = Template.load(parameters), TEMPLATE.body["Resources"]
    having = [
        alarm
        for alarm in TEMPLATE.resources("AWS::CloudWatch::Alarm")
        if "Condition" not in resources[alarm] or template.resolve({"Condition": resources[alarm]["Condition"]}, {})
    ]
    assert (name in having) is (name is not None)
    [widget] = [it for it in shown(**parameters) if it["type"] == "alarm"]
    assert sorted(widget["properties"]["alarms"]) == sorted(f"${{{alarm}.Arn}}" for alarm in having)


def test_the_widgets_fit_beside_each_other() -> None:
    for one in WIDGETS:
        assert one["x"] + one["width"] <= 24
    for one, other in combinations(WIDGETS, 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        assert beside or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]


def test_a_stack_has_none_unless_it_asks_for_one() -> None:
    assert TEMPLATE.body["Resources"]["OperatorDashboard"]["Condition"] == "HasDashboard"
    assert not TEMPLATE.resolve({"Condition": "HasDashboard"}, {})
    assert Template.load({"Dashboard": "on"}).resolve({"Condition": "HasDashboard"}, {})


def test_the_page_lists_every_metric_that_is_emitted() -> None:
    page = (ROOT / "docs" / "operation.md").read_text()
    rows = page.split("| metric (namespace `Waitpoints`) |")[1].split("\n\n")[0]
    names: list[str] = []
    for name in re.findall(r"`(…?\w+)`", "\n".join(row.split("|")[1] for row in rows.splitlines()[2:])):
        names.append(name if name[0] != "…" else "TokensSettled" + name[1:])
    assert sorted(names) == sorted(emitted() | counted_in_logs())


def test_docs_costs_has_the_price_of_every_metric() -> None:
    page = (ROOT / "docs" / "costs.md").read_text()
    [fixed] = re.findall(r"\| (\d+) custom metrics \|", page)
    more = len(emitted() | counted_in_logs()) - int(fixed)
    assert f"| Each further metric in use | $0.30 a month, all together ${0.30 * more:.2f} |" in page


def test_the_names_of_a_stacks_resources_are_filled_in(stack: MotoStack) -> None:
    widgets = json.loads(stack.resolve(PROPERTIES["DashboardBody"]))["widgets"]
    metrics = [metric for widget in widgets for metric in spelled_out(widget["properties"].get("metrics", []))]
    filled = {value for metric in metrics for _, value in metric.dimensions}
    assert {STACK_NAME, stack.table, stack.resources["DeadLetterQueue"]["QueueName"]} <= filled
    assert not any("${" in value for value in filled)
