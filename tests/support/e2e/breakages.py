"""Ways in which a deployed stack breaks, each by one call of AWS's API, and mended by one. `Stack` is what they break."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate

from tests.support.e2e.permissions import physical_name
from waitpoints_local.stack import Stack

Change = tuple[Callable[..., Any], Callable[..., Any]]
"""The call that breaks, and the one that mends."""


@dataclass(frozen=True)
class Breakage:
    what: str
    change: Callable[[Stack], Change]
    lines: tuple[str, ...]
    """The checks of the smoke test that fail, in their order."""
    names: str
    """What the last of these lines names."""

    @contextmanager
    def of(self, stack: Stack) -> Iterator[None]:
        """Within this, the stack is broken."""
        break_it, mend_it = self.change(stack)
        break_it()
        try:
            yield
        finally:
            mend_it()


def of_any[**Given](change: Callable[Concatenate[Stack, Given], Change]) -> Callable[Given, Callable[[Stack], Change]]:
    """Let the stack be given later."""
    return lambda *given, **named: lambda stack: change(stack, *given, **named)


@of_any
def mapping_off(stack: Stack, name: str) -> Change:
    return _mapping(stack, name, {"Enabled": False}, {"Enabled": True})


@of_any
def filter_wrong(stack: Stack, name: str) -> Change:
    found = stack.client("lambda").get_event_source_mapping(UUID=physical_name(stack, name))["FilterCriteria"]
    wrong = {"Filters": [{"Pattern": '{"eventName": ["REMOVE"]}'}]}
    return _mapping(stack, name, {"FilterCriteria": wrong}, {"FilterCriteria": found})


def _mapping(stack: Stack, name: str, wrong: dict[str, Any], right: dict[str, Any]) -> Change:
    update = partial(stack.client("lambda").update_event_source_mapping, UUID=physical_name(stack, name))
    return partial(update, **wrong), partial(update, **right)


@of_any
def schedule_off(stack: Stack, name: str) -> Change:
    scheduler, name_in = stack.client("scheduler"), {"GroupName": physical_name(stack, "TimerGroup")}
    found = scheduler.get_schedule(Name=physical_name(stack, name), **name_in)
    kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target", "Description")
    update = partial(scheduler.update_schedule, **{it: found[it] for it in kept if it in found})
    return partial(update, State="DISABLED"), partial(update, State="ENABLED")


@of_any
def denied(stack: Stack, function: str, *actions: str, resource: str = "*") -> Change:
    """A permission that a function's role lacks. An explicit deny, so that afterwards.py knows it from a mistake."""
    configuration = stack.client("lambda").get_function_configuration(FunctionName=physical_name(stack, function))
    named = {"RoleName": configuration["Role"].rpartition("/")[2], "PolicyName": "broken"}
    iam, policy = stack.client("iam"), json.dumps({"Version": "2012-10-17", "Statement": [_deny(actions, resource)]})
    return partial(iam.put_role_policy, **named, PolicyDocument=policy), partial(iam.delete_role_policy, **named)


def _deny(actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": resource}


@of_any
def without_variable(stack: Stack, function: str, variable: str) -> Change:
    def without(found: Any) -> Any:
        return {"Variables": {it: value for it, value in found["Variables"].items() if it != variable}}

    return _configured(stack, function, "Environment", without)


@of_any
def log_in_text(stack: Stack, function: str) -> Change:
    return _configured(stack, function, "LoggingConfig", lambda found: {"LogFormat": "Text", "LogGroup": found["LogGroup"]})


def _configured(stack: Stack, function: str, member: str, wrong: Callable[[Any], Any]) -> Change:
    functions, name = stack.client("lambda"), physical_name(stack, function)
    found = functions.get_function_configuration(FunctionName=name)[member]
    update = partial(functions.update_function_configuration, FunctionName=name)
    return partial(update, **{member: wrong(found)}), partial(update, **{member: found})


@of_any
def no_concurrency(stack: Stack, function: str) -> Change:
    functions, named = stack.client("lambda"), {"FunctionName": physical_name(stack, function)}
    stop = partial(functions.put_function_concurrency, **named, ReservedConcurrentExecutions=0)
    return stop, partial(functions.delete_function_concurrency, **named)


@of_any
def route_deleted(stack: Stack, key: str) -> Change:
    apis, api, route = _route(stack, key)
    again = partial(apis.create_route, ApiId=api, RouteKey=key, Target=route["Target"])
    return partial(apis.delete_route, ApiId=api, RouteId=route["RouteId"]), again


@of_any
def integration_wrong(stack: Stack, key: str) -> Change:
    apis, api, route = _route(stack, key)
    named = {"ApiId": api, "IntegrationId": route["Target"].rpartition("/")[2]}
    found = apis.get_integration(**named)["IntegrationUri"]
    update, function = partial(apis.update_integration, **named), physical_name(stack, "MoveDeadline")
    return partial(update, IntegrationUri=found.replace(function, "missing")), partial(update, IntegrationUri=found)


def _route(stack: Stack, key: str) -> tuple[Any, str, Any]:
    apis, api = stack.client("apigatewayv2"), physical_name(stack, "Api")
    return apis, api, next(it for it in apis.get_routes(ApiId=api)["Items"] if it["RouteKey"] == key)


@of_any
def queue_closed(stack: Stack, name: str) -> Change:
    update = partial(stack.client("sqs").set_queue_attributes, QueueUrl=physical_name(stack, name))
    policy = {"Version": "2012-10-17", "Statement": [{**_deny(("sqs:SendMessage",), "*"), "Principal": "*"}]}
    return partial(update, Attributes={"Policy": json.dumps(policy)}), partial(update, Attributes={"Policy": ""})


@of_any
def queue_deleted(stack: Stack, name: str) -> Change:
    queues, url = stack.client("sqs"), physical_name(stack, name)
    kept = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])["Attributes"]
    again = partial(queues.create_queue, QueueName=url.rpartition("/")[2], Attributes=kept)
    return partial(queues.delete_queue, QueueUrl=url), again


@of_any
def index_deleted(stack: Stack, name: str) -> Change:
    tables = stack.client("dynamodb")
    table = tables.describe_table(TableName=stack.table_name)["Table"]
    found = next(it for it in table["GlobalSecondaryIndexes"] if it["IndexName"] == name)
    again = {"Create": {it: found[it] for it in ("IndexName", "KeySchema", "Projection")}}
    update = partial(tables.update_table, TableName=stack.table_name, AttributeDefinitions=table["AttributeDefinitions"])
    delete = {"Delete": {"IndexName": name}}
    return partial(update, GlobalSecondaryIndexUpdates=[delete]), partial(update, GlobalSecondaryIndexUpdates=[again])


def ttl_off(stack: Stack) -> Change:
    update, attribute = partial(stack.client("dynamodb").update_time_to_live, TableName=stack.table_name), "expiresAt"
    on, off = ({"AttributeName": attribute, "Enabled": enabled} for enabled in (True, False))
    return partial(update, TimeToLiveSpecification=off), partial(update, TimeToLiveSpecification=on)


def bucket_closed(stack: Stack) -> Change:
    buckets, bucket = stack.client("s3"), stack.output_bucket
    found = buckets.get_bucket_policy(Bucket=bucket)["Policy"]
    deny = {**_deny(("s3:GetObject",), f"arn:aws:s3:::{bucket}/*"), "Principal": "*"}
    wrong = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    put = partial(buckets.put_bucket_policy, Bucket=bucket)
    return partial(put, Policy=wrong), partial(put, Policy=found)


STREAM, SWITCHES = "resumes by the stream alone", "is switched on"
IN_EVERY_RUN = (
    Breakage("mapping of ResumeWaiters off", mapping_off("ResumeWaitersSettledTokens"), (SWITCHES, STREAM), "ResumeWaiters"),
    Breakage("role of AcceptCallback", denied("AcceptCallback", "states:*"), ("resumes promptly",), "AcceptCallback"),
)
OTHERS = (
    Breakage("role of RetrieveToken", denied("RetrieveToken", "dynamodb:GetItem"), ("limits a named key",), "NamedKeyPolicy"),
    Breakage("filter of ScheduleTimeouts", filter_wrong("ScheduleTimeoutsNewTokens"), ("times out",), "ScheduleTimeouts"),
    Breakage("filter of ResumeWaiters", filter_wrong("ResumeWaitersSettledTokens"), (STREAM,), "ResumeWaiters"),
    Breakage("role of ResumeWaiters", denied("ResumeWaiters", "dynamodb:Query"), (STREAM,), "ResumeWaiters"),
    Breakage(
        "mapping of ScheduleTimeouts off",
        mapping_off("ScheduleTimeoutsNewTokens"),
        (SWITCHES, "times out"),
        "ScheduleTimeouts",
    ),
    Breakage("mapping of TimerQueue off", mapping_off("ExpireTokensTimers"), (SWITCHES, "moves a timeout"), "ExpireTokens"),
    Breakage("policy of TimerQueue", queue_closed("TimerQueue"), ("moves a timeout",), "TimerQueue and its policy"),
    Breakage(
        "integration of PATCH",
        integration_wrong("PATCH /api/v1/waitpoints/tokens/{waitpointId}"),
        ("moves a timeout",),
        "MoveDeadline",
    ),
    Breakage("schedule of StartTimers off", schedule_off("StartTimersRuns"), (SWITCHES,), "StartTimersRuns"),
    Breakage("schedule of the Doctor off", schedule_off("DoctorRuns"), (SWITCHES,), "DoctorRuns"),
    Breakage("TTL off", ttl_off, (SWITCHES,), "TTL"),
    Breakage("dead-letter queue deleted", queue_deleted("DeadLetterQueue"), (SWITCHES,), "DeadLetterQueue"),
    Breakage("variable of CreateToken", without_variable("CreateToken", "API_KEY_SECRET"), ("creates a token",), "CreateToken"),
    Breakage(
        "variable of AcceptCallback",
        without_variable("AcceptCallback", "SIGNING_KEY_SECRET"),
        ("resumes with what is posted",),
        "AcceptCallback and its secret SigningKey",
    ),
    Breakage("WaitForToken throttled", no_concurrency("WaitForToken"), ("resumes with what is posted",), "WaitForToken"),
    Breakage("ShowConsole throttled", no_concurrency("ShowConsole"), ("shows the console",), "ShowConsole, its concurrency"),
    Breakage("role of ShowCallback", denied("ShowCallback", "dynamodb:Query"), ("answers browsers",), "ShowCallback"),
    Breakage(
        "secrets of senders",
        denied("AcceptCallback", "secretsmanager:GetSecretValue", resource="arn:aws:secretsmanager:*:*:secret:*smoke-*"),
        ("accepts a signature",),
        "WebhookSecretPolicy",
    ),
    Breakage(
        "route of endpoints deleted",
        route_deleted("ANY /api/v1/endpoints/{name}"),
        ("completes by an endpoint",),
        "PutEndpoint",
    ),
    Breakage("role of ListDeliveries", denied("ListDeliveries", "dynamodb:Query"), ("records deliveries",), "ListDeliveries"),
    Breakage("role of CompleteByKey", denied("CompleteByKey", "dynamodb:*"), ("completes by a key",), "CompleteByKey"),
    Breakage(
        "variable of CreateTokenInState",
        without_variable("CreateTokenInState", "API_URL"),
        ("creates and completes in states",),
        "API_URL",
    ),
    Breakage("MintPublicToken throttled", no_concurrency("MintPublicToken"), ("makes public tokens",), "MintPublicToken"),
    Breakage("role of ListApiKeys", denied("ListApiKeys", "dynamodb:Query"), ("limits a named key",), "ListApiKeys"),
    Breakage("role of RevokeApiKey", denied("RevokeApiKey", "dynamodb:UpdateItem"), ("limits a named key",), "RevokeApiKey"),
    Breakage("role of GetPacket", denied("GetPacket", "s3:GetObject"), ("gives a link to a large output",), "GetPacket"),
    Breakage(
        "policy of the bucket",
        bucket_closed,
        ("records deliveries", "gives a link to a large output"),
        "the bucket's policy",
    ),
    Breakage("index list deleted", index_deleted("list"), ("lists by tag",), "index"),
    Breakage("index due deleted", index_deleted("due"), ("has nothing undone",), "the index `due`"),
    Breakage("role of the Doctor", denied("Doctor", "dynamodb:Query"), ("has nothing undone",), "Doctor"),
    Breakage("log format of CreateToken", log_in_text("CreateToken"), ("logs metrics, not each invocation",), "LoggingConfig"),
)
"""Of a stack with the parameters by default."""
WITH_CHANNELS = (
    Breakage("no event may be put", denied("ResumeWaiters", "events:PutEvents"), ("puts events",), "ResumeWaiters"),
    Breakage("no mail may be sent", denied("SendNotices", "ses:*"), ("sends a mail",), "SendNotices"),
)
"""Of a stack with an event bus and a mail sender."""
