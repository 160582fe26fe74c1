"""template.yaml after SAM's transform, as CloudFormation gets it. Nothing is deployed."""

import copy
import json
import re
from collections.abc import Callable
from graphlib import CycleError
from typing import Any

import boto3
import pytest

from tests.support.in_process.template import CHANNELS, EVERYTHING, REGION, ROOT, SIGN_IN, Template
from tests.support.processed_template import attributes, check_order, made, process, processed, statements, texts

NAME_OF = {  # the property that names a resource, where two stacks of one account and region cannot share the name
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::MetricFilter": "FilterName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
NAMELESS = {  # AWS generates an id instead
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::Stage",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
}
OF_DOMAIN = {"AWS::ApiGatewayV2::DomainName": "DomainName", "AWS::Route53::RecordSet": "Name"}  # as its owner chooses
WITH_BUS = {"EventBusName": "orders"}
KEY = "arn:aws:kms:us-east-1:123456789012:key/0b5f4a7e"
WITH_ALL = {**WITH_BUS, **EVERYTHING, "KmsKeyArn": KEY}
SIGN_IN_ROUTES = (
    "GET /api/v1/sign-in",
    "GET /api/v1/sign-in/return",
    "POST /api/v1/sign-out",
    "GET /sign-in",
    "GET /sign-in/return",
)
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/[^/*]+"
DURABLE_EXECUTIONS = r"arn:aws:lambda:us-east-1:123456789012:function:\*"  # …:NAME:VERSION/durable-execution/…
SENDERS = r"arn:aws:ses:us-east-1:123456789012:(identity|configuration-set)/\*"
SECRETS = "webhooks/|channels/(SLACK_SIGNING_SECRET)?|sign-in/OIDC_CLIENT_SECRET"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
# The actions that this stack needs, and the resources that each can be granted on, by the Service Authorization Reference
# (docs.aws.amazon.com/service-authorization).
RESOURCE_OF = {
    "dynamodb:BatchGetItem": TABLE,
    "dynamodb:BatchWriteItem": TABLE,
    "dynamodb:DeleteItem": TABLE,
    "dynamodb:DescribeTable": TABLE,
    "dynamodb:GetItem": TABLE,
    "dynamodb:PutItem": TABLE,
    "dynamodb:Query": rf"{TABLE}(/index/(\*|due))?",
    "dynamodb:Scan": rf"{TABLE}(/index/\*)?",
    "dynamodb:UpdateItem": TABLE,
    "events:PutEvents": "arn:aws:events:us-east-1:123456789012:event-bus/orders",
    "kms:Decrypt": KEY,
    "kms:GenerateDataKey": KEY,
    "lambda:InvokeFunction": r"arn:aws:lambda:us-east-1:123456789012:function:[^*]+\*?",  # SAM's own policy ends in *
    "lambda:SendDurableExecutionCallbackFailure": DURABLE_EXECUTIONS,
    "lambda:SendDurableExecutionCallbackSuccess": DURABLE_EXECUTIONS,
    "s3:DeleteObject": r"arn:aws:s3:::[^/*]+/(deliveries/|waitpoint_)?\*",
    "s3:GetObject": r"arn:aws:s3:::[^/*]+/(deliveries/)?\*",
    "s3:ListBucket": r"arn:aws:s3:::[^/*]+",
    "s3:PutObject": r"arn:aws:s3:::[^/*]+/\*",
    "ses:SendEmail": SENDERS,
    "ses:SendRawEmail": SENDERS,
    "secretsmanager:DescribeSecret": rf"{SECRET}waitpoints/waitpoints/channels/\*",
    "secretsmanager:GetSecretValue": rf"{SECRET}([^*]+|waitpoints/waitpoints/({SECRETS})\*)",
    "sqs:ChangeMessageVisibility": r"arn:aws:sqs:us-east-1:123456789012:[^*]+",
    "sqs:SendMessage": r"arn:aws:sqs:us-east-1:123456789012:[^*]+",
    "states:SendTaskFailure": r"arn:aws:states:us-east-1:123456789012:stateMachine:(\*|waitpoints-WaitForWebhook)",
    "states:SendTaskSuccess": r"arn:aws:states:us-east-1:123456789012:stateMachine:(\*|waitpoints-WaitForWebhook)",
}
SERVICE_OF = {"states": "stepfunctions", "ses": "sesv2"}  # botocore's name, where it is not the one that IAM knows
OPERATION_OF = {"lambda:InvokeFunction": "Invoke", "s3:ListBucket": "ListObjectsV2"}
PERMISSION_ONLY = {"ses:SendRawEmail"}  # SES asks for it when SendEmail sends a MIME message


def test_the_resources_have_no_circular_dependency() -> None:
    check_order(processed().body["Resources"])


def test_a_function_of_the_api_that_refers_to_the_api_is_a_circular_dependency() -> None:
    body = copy.deepcopy(Template.load().body)
    body["Resources"]["CreateToken"]["Properties"]["Environment"] = {
        "Variables": {"API_URL": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}}
    }
    with pytest.raises(CycleError):
        check_order(process(body)["Resources"])


def test_no_resource_name_collides_with_a_second_stack() -> None:
    for logical_id, resource in processed().body["Resources"].items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in OF_DOMAIN:
            assert properties[OF_DOMAIN[kind]] == {"Ref": "DomainName"}
            continue
        assert kind in NAME_OF or kind in NAMELESS, f"{kind}: which property is its name?"
        name = properties.get(NAME_OF.get(kind, ""))
        assert name is None or "AWS::StackName" in str(name), f"{logical_id} is always named {name}"


def test_every_statement_grants_an_action_on_a_resource_type_that_it_supports() -> None:
    found = statements(WITH_ALL)
    assert {action for _, statement in found for action in texts(statement["Action"])} == RESOURCE_OF.keys()
    for whose, statement in found:
        assert statement["Effect"] == "Allow"
        for action in texts(statement["Action"]):
            for resource in texts(statement["Resource"]):
                assert re.fullmatch(RESOURCE_OF[action], resource), f"{whose}: {action} on {resource}"


def test_only_the_stream_consumer_puts_events_and_only_if_there_is_a_bus() -> None:
    assert "events:PutEvents" not in [action for _, statement in statements() for action in texts(statement["Action"])]
    having = [whose for whose, statement in statements(WITH_BUS) if "events:PutEvents" in texts(statement["Action"])]
    assert having == ["ResumeWaitersRole"]


def test_a_bus_that_does_not_exist_fails_the_deployment() -> None:
    """PutEvents to such a bus succeeds and drops the event (aws/aws-sdk issue 186), but no rule can be made on it."""
    rule = processed().body["Resources"]["EventBusExists"]
    assert rule["Condition"] == "HasEventBus"
    assert rule["Properties"]["EventBusName"] == {"Ref": "EventBusName"}
    assert (rule["Properties"]["State"], "Targets" in rule["Properties"]) == ("DISABLED", False)


@pytest.mark.parametrize("action", sorted(RESOURCE_OF.keys() - PERMISSION_ONLY))
def test_every_action_exists_in_its_service(action: str) -> None:
    service, operation = action.split(":")
    model = boto3.client(SERVICE_OF.get(service, service), region_name=REGION).meta.service_model
    assert OPERATION_OF.get(action, operation) in model.operation_names


def test_every_role_has_its_policies_and_no_policy_is_unused() -> None:
    attached = [arn for role in processed().resources("AWS::IAM::Role").values() for arn in role.get("ManagedPolicyArns", [])]
    policies = processed().resources("AWS::IAM::ManagedPolicy")
    own = {arn["Ref"] for arn in attached if "Ref" in arn}
    assert own | {name for name, policy in policies.items() if policy.get("Roles")} == set(policies)
    of_aws = processed().resolve([arn for arn in attached if "Ref" not in arn], attributes())
    assert {arn.rpartition("/")[2] for arn in of_aws} == {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaDynamoDBExecutionRole",
        "AWSLambdaSQSQueueExecutionRole",
    }


def test_the_api_may_invoke_the_functions_of_its_routes_and_no_other() -> None:
    allowed = {
        permission["FunctionName"]["Ref"]
        for permission in processed().resources("AWS::Lambda::Permission").values()
        if permission["Principal"] == "apigateway.amazonaws.com"
    }
    assert allowed == {function.logical_id for function in Template.load(EVERYTHING).routes().values()}


OF_CHANNELS = re.compile(r"notice(?!d)|notify|slack|teams|mail|\bses:", re.IGNORECASE)


def of_channels(**parameters: str) -> dict[str, Any]:
    """The parts of a stack with these parameters that a stack without channels has not, as CloudFormation makes them.

    A resource of other stacks, too, is looked through for its members.
    """
    template = Template(processed().body, parameters)
    found: dict[str, Any] = {}
    for name, resource in made(**parameters).items():
        if OF_CHANNELS.search(name):
            found[name] = resource
        elif parts := OF_CHANNELS.findall(json.dumps(resource)):
            found[name] = parts
    outputs = processed().body["Outputs"].items()
    shown = (name for name, it in outputs if "Condition" not in it or template.resolve({"Condition": it["Condition"]}, {}))
    return found | {name: "output" for name in shown if OF_CHANNELS.search(name)}


class TestAStackWithoutNotices:
    def test_has_no_resource_permission_variable_route_or_filter_for_it(self) -> None:
        """AlarmEmail is the operator's."""
        for others in ({}, {**WITH_BUS, "Dashboard": "on", "LongestWaitDays": "1", "CallbackConcurrency": "1"}):
            assert of_channels(**others) == {}

    @pytest.mark.parametrize("channel", [*CHANNELS, None])
    def test_is_the_only_one_without(self, channel: str | None) -> None:
        found = of_channels(**(CHANNELS if channel is None else {channel: CHANNELS[channel]}))
        of_every = {"SendNotices", "SendNoticesRole", "SendNoticesNotices", "NoticeQueue", "NoticesRefusedAlarm"}
        of_every |= {"NoticesFunctionName", "BackgroundFailedAlarm", "CreateToken", "CreateTokenInState"}
        of_every |= {it for name in ("ResumeWaiters", "ScheduleTimeouts") for it in (name, f"{name}Role")}
        of_every |= {"ResumeWaitersSettledTokens", "ScheduleTimeoutsNewTokens"}
        own = {"Slack": {"AnswerSlack", "AnswerSlackRole", "AnswerSlackHttpPermission", "Api"}, "MailFrom": {"MoveDeadline"}}
        assert found.keys() == of_every.union(*(names for name, names in own.items() if channel in (name, None)))

    @pytest.mark.parametrize("channel", CHANNELS)
    def test_has_no_variable_of_another_channel(self, channel: str) -> None:
        template = Template(processed().body, {channel: CHANNELS[channel]})
        for function in ("CreateToken", "CreateTokenInState", "SendNotices"):
            variables = template.resolve(template.resources("AWS::Lambda::Function")[function]["Environment"], attributes())
            known = {"MailFrom": "MAIL_FROM", "Slack": "SLACK", "Teams": "TEAMS"}
            assert ("MAIL_DOMAINS" in variables["Variables"]) is (channel == "MailFrom")
            assert variables["Variables"].keys() & known.values() == {known[channel]}
            assert variables["Variables"][known[channel]] == CHANNELS[channel]


class TestAStackWithoutAnIssuer:
    OF_SIGN_IN = re.compile(r"Oidc|OIDC|Sign(?:In|Out)|SIGN_(?:IN|OUT)|sign[-_](?:in|out)|SESSION|Session")

    def parts(self, **parameters: str) -> dict[str, Any]:
        """What a stack with these parameters has of sign-in, by resource."""
        found = {name: self.OF_SIGN_IN.findall(json.dumps([name, it])) for name, it in made(**parameters).items()}
        return {name: parts for name, parts in found.items() if parts}

    def test_has_no_resource_route_variable_secret_or_permission_for_it(self) -> None:
        others = {**WITH_BUS, **CHANNELS, "Dashboard": "on", "PublicBaseUrl": SIGN_IN["PublicBaseUrl"]}
        for parameters in ({}, others):
            assert self.parts(**parameters) == {}

    def test_is_the_only_one_without(self) -> None:
        functions = ("BeginSignIn", "FinishSignIn", "SignOut")
        own = {f"{name}{part}" for name in functions for part in ("", "Role", "HttpPermission")} | {"SessionKey"}
        own |= {f"BeginSession{part}" for part in ("", "Role", "BeginPermission", "ReturnPermission")}
        shared = {"Api", "AcceptCallback", "AcceptCallbackRole", "ShowCallback", "ShowCallbackRole"}
        shared |= {"CreateToken", "CreateTokenInState"}
        assert self.parts(**SIGN_IN).keys() == own | shared
        public = {"PublicBaseUrl": SIGN_IN["PublicBaseUrl"]}
        assert made(**SIGN_IN).keys() - made(**public).keys() == own

    def test_differs_only_in_what_is_of_sign_in(self) -> None:
        without, having = made(PublicBaseUrl=SIGN_IN["PublicBaseUrl"]), made(**SIGN_IN)
        assert {name for name, it in without.items() if having[name] != it} == self.parts(**SIGN_IN).keys() & without.keys()


def test_only_a_stack_with_mails_sends_them_and_from_its_address_only() -> None:
    """SES looks at the address without the name: docs.aws.amazon.com/ses/latest/dg/control-user-access.html."""
    without = statements({"Slack": "on", "Teams": "on"})
    assert not [it for _, statement in without for it in texts(statement["Action"]) if it.startswith("ses:")]
    [(whose, statement)] = [it for it in statements(CHANNELS) if "ses:SendEmail" in texts(it[1]["Action"])]
    assert whose == "SendNoticesRole"
    assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": CHANNELS["MailFrom"]}}


def test_a_resource_that_every_stack_has_refers_to_an_optional_one_only_within_its_condition() -> None:
    """CloudFormation rejects a reference to what it does not make."""
    for parameters in ({}, *({name: value} for name, value in WITH_ALL.items())):
        template = Template(processed().body, parameters)
        made = {name: value for name, value in attributes().items() if template.has(name)}
        for name in made:
            template.resolve(template.body["Resources"][name].get("Properties", {}), made)


def stage() -> Any:
    [properties] = processed().resources("AWS::ApiGatewayV2::Stage").values()
    return properties


def test_the_access_log_holds_no_path_since_a_callbacks_path_is_a_secret() -> None:
    logged = json.dumps(stage()["AccessLogSettings"]["Format"])
    assert {"$context.routeKey", "$context.error.message"} <= set(re.findall(r"\$[\w.]+", logged))
    assert "$context.path" not in logged
    assert "$context.requestOverride" not in logged


def test_the_access_log_takes_no_room_in_the_accounts_resource_policy() -> None:
    """API Gateway adds a log group's ARN to a policy of at most 5,120 characters, except below /aws/vendedlogs/."""
    group = processed().resources("AWS::Logs::LogGroup")[stage()["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0]]
    assert processed().resolve(group["LogGroupName"], {}).startswith("/aws/vendedlogs/")


def test_every_throttled_route_exists_whatever_the_parameters() -> None:
    """API Gateway keeps a stage's limits, and refuses to take away a route that has one: see `test_upgrade_template`."""
    always = Template.load().routes()
    assert Template.load(WITH_ALL).routes().keys() - always.keys() == {
        "POST /api/v1/slack",
        "ANY /api/v1/console-session",
        *SIGN_IN_ROUTES,
    }
    assert stage()["RouteSettings"]
    assert stage()["RouteSettings"].keys() <= always.keys()


def test_no_burst_is_above_the_smallest_default_quota_of_an_account() -> None:
    """1,250. A route's limits cannot exceed the account's; AWS does not say what it does with one that would.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html and http-api-throttling.html there
    """
    bursts = [it["ThrottlingBurstLimit"] for it in (stage()["DefaultRouteSettings"], *stage()["RouteSettings"].values())]
    assert max(bursts) <= 1_250


def test_what_anyone_can_call_leaves_room_for_the_other_routes() -> None:
    """Each has a limit of its own, and together they leave most of an account's default quota, 10,000 a second.

    It is 2,500 in the smallest regions.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    """
    assert open_together() == 600
    assert open_together(CallbacksPerSecond="1") == open_together() - 199
    assert open_together(ViewsPerSecond="1") == open_together() - 49
    assert open_together(DeliveriesPerSecond="1000") <= 2_500 - 400
    security = " ".join((ROOT / "docs" / "security.md").read_text().split())
    assert f"| **{open_together():,}** |" in security


def open_together(**parameters: str) -> int:
    """How many requests a second the routes take that need no API key."""
    functions = {"accept_callback", "show_callback", "accept_delivery", "show_console", "answer_slack"}
    functions |= {"begin_sign_in", "finish_sign_in", "sign_out", "begin_session"}
    routes = Template.load(WITH_ALL).routes().items()
    limits = route_limits(**parameters)
    return sum(int(limits(key)["ThrottlingRateLimit"]) for key, function in routes if function.name in functions)


def route_limits(**parameters: str) -> Callable[[str], Any]:
    """Return what says the limit of a route."""
    limits = Template(processed().body, parameters).resolve(stage()["RouteSettings"], {})
    return lambda route: limits.get(route, stage()["DefaultRouteSettings"])


def test_a_burst_is_at_least_what_a_route_takes_in_a_second() -> None:
    """By default: above 1,000 a second, a parameter makes the rate larger than the burst, so senders must spread requests."""
    for route in Template.load(WITH_ALL).routes():
        limit = route_limits()(route)
        assert int(limit["ThrottlingBurstLimit"]) >= int(limit["ThrottlingRateLimit"]), route


@pytest.mark.parametrize(
    ("route", "rate", "burst"),
    [
        ("GET /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}", 50, 1_000),
        ("ANY /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}", 200, 1_250),
        ("ANY /api/v1/endpoints/{name}/{hash}", 200, 1_250),
        *((route, 20, 1_000) for route in ("POST /api/v1/slack", *SIGN_IN_ROUTES)),
        ("ANY /console", 10, 100),
        ("ANY /console/{version}/{file}", 20, 500),
        ("ANY /api/v1/waitpoints/tokens", 1_000, 1_000),
        ("PATCH /api/v1/waitpoints/tokens/{waitpointId}", 1_000, 1_000),
        ("ANY /api/v1/auth/public-tokens", 1_000, 1_000),
    ],
)
def test_a_route_takes_so_many_requests_a_second(route: str, rate: int, burst: int) -> None:
    assert route in Template.load(WITH_ALL).routes()
    limit = route_limits()(route)
    assert (int(limit["ThrottlingRateLimit"]), limit["ThrottlingBurstLimit"]) == (rate, burst)


@pytest.mark.parametrize(("switch", "has_address"), [("on", True), ("off", False)])
def test_the_access_log_has_the_callers_address_unless_it_is_not_wanted(switch: str, has_address: bool) -> None:
    line = access_log_line(LogAddresses=switch)
    assert ("ip" in line) is has_address
    assert line.keys() - {"ip"} == {"requestId", "route", "status", "latency", "error", "integrationError"}


def access_log_line(**parameters: str) -> dict[str, str]:
    return json.loads(Template(processed().body, parameters).resolve(stage()["AccessLogSettings"]["Format"], {}))


def test_what_is_counted_in_logs_is_in_their_lines() -> None:
    """The access log has the status as a text, which a filter compares in quotes. Without a match there is no metric.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    filters = processed().resources("AWS::Logs::MetricFilter")
    assert {name: (it["LogGroupName"], it["FilterPattern"]) for name, it in filters.items()} == {
        "RequestsThrottled": ({"Ref": "AccessLogGroup"}, '{ $.status = "429" }'),
        "KeysRefused": ({"Ref": "LogGroup"}, '{ $.refused = "Unauthenticated" }'),
    }
    for name, metric_filter in filters.items():
        [transformation] = metric_filter["MetricTransformations"]
        namespace = transformation["MetricNamespace"]
        assert transformation == {"MetricNamespace": namespace, "MetricName": name, "MetricValue": "1"}
        assert namespace == {"Fn::Sub": "Waitpoints/${AWS::StackName}"}
    assert access_log_line()["status"] == "$context.status"


def test_the_alarm_of_throttled_requests_reads_their_metric() -> None:
    [counted] = processed().resources("AWS::Logs::MetricFilter")["RequestsThrottled"]["MetricTransformations"]
    alarm = processed().resources("AWS::CloudWatch::Alarm")["RequestsThrottledAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (counted["MetricNamespace"], counted["MetricName"])
    assert "Dimensions" not in alarm


def test_no_functions_runtime_changes_without_a_deployment() -> None:
    """docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html: Auto is the default, and brings another boto3 at any time."""
    functions = processed().resources("AWS::Lambda::Function")
    configured = {name: function.get("RuntimeManagementConfig") for name, function in functions.items()}
    assert configured == {name: {"UpdateRuntimeOn": "FunctionUpdate"} for name in functions}
