"""What template.yaml promises to its owner, and that its names match the code."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import pytest
from waitpoints_client.ops.stream_filter import passes

from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import CHANNELS, EVERYTHING, ROOT, STACK_NAME, Template
from tests.support.processed_template import attributes, made, processed
from tools.deploy import UNSEEN
from tools.openapi.operations import OPERATIONS
from waitpoints import ids
from waitpoints.aws.items import StoredStatus, token_item
from waitpoints.aws.notice_store import CLAIMED_FOR
from waitpoints.token import Completed, Output, Token

TEMPLATE = Template.load()
BUS = {"EventBusName": "orders"}
WITH_BUS, WITH_NOTICES, WITH_ALL = (Template.load(it) for it in (BUS, CHANNELS, {**CHANNELS, **BUS}))
FUNCTIONS = Template.load(EVERYTHING).functions()
NAMES = {name: {"Ref": name, "QueueName": name} for name in TEMPLATE.body["Resources"]}
ALARMS = TEMPLATE.resources("AWS::CloudWatch::Alarm")
RUNBOOK = (ROOT / "docs" / "operation.md").read_text()


RESUMABLE = {
    "ResumableStateMachines": ("states:SendTask", "arn:aws:states:us-east-1:123456789012:stateMachine:mine-*"),
    "ResumableFunctions": ("lambda:SendDurableExecutionCallback", "arn:aws:lambda:us-east-1:123456789012:function:mine:*"),
}


@pytest.mark.parametrize("parameter", RESUMABLE)
def test_a_parameter_limits_which_executions_of_its_kind_may_be_resumed(stack: MotoStack, parameter: str) -> None:
    actions, mine = RESUMABLE[parameter]
    found = TEMPLATE.resources("AWS::IAM::ManagedPolicy")["ResumePolicy"]["PolicyDocument"]
    chosen = MotoStack(Template.load({parameter: mine}), stack.resources).resolve(found)["Statement"]
    narrowed = {statement["Resource"]: statement["Action"] for statement in chosen if statement["Resource"] == mine}
    assert narrowed == {mine: [f"{actions}Success", f"{actions}Failure"]}
    assert len(chosen) == len(RESUMABLE)


def test_a_limited_stack_may_resume_its_own_machine_and_no_other_by_that_rule() -> None:
    """The smoke test waits in it. Every role that resumes may do so."""
    assert "OwnMachinePolicy" not in made()
    for more in ({}, CHANNELS):
        resources = made(ResumableStateMachines=RESUMABLE["ResumableStateMachines"][1], **more)
        own = resources["OwnMachinePolicy"]["Properties"]
        [statement] = own["PolicyDocument"]["Statement"]
        assert statement["Resource"] == attributes()["WaitForWebhook"]["Ref"]  # its ARN, which has no wildcard
        assert set(statement["Action"]) == {"states:SendTaskSuccess", "states:SendTaskFailure"}
        roles = {
            attributes()[name]["Ref"]: it["Properties"] for name, it in resources.items() if it["Type"] == "AWS::IAM::Role"
        }
        resume = attributes()["ResumePolicy"]["Ref"]
        assert set(own["Roles"]) == {name for name, role in roles.items() if resume in role.get("ManagedPolicyArns", ())}


def test_durable_executions_of_every_version_may_be_resumed(stack: MotoStack) -> None:
    """Lambda authorizes a callback by the ARN of its durable execution, which no unqualified ARN of a function matches.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
    """
    policy = stack.resolve(TEMPLATE.resources("AWS::IAM::ManagedPolicy")["ResumePolicy"]["PolicyDocument"])
    [resource] = [it["Resource"] for it in policy["Statement"] if "lambda:SendDurableExecutionCallbackSuccess" in it["Action"]]
    for version in ("$LATEST", "7"):
        execution = f"arn:aws:lambda:us-east-1:123456789012:function:orders:{version}/durable-execution/4711/0d0c5b1e"
        assert fnmatchcase(execution, resource)
    assert not fnmatchcase("arn:aws:lambda:eu-west-1:123456789012:function:orders:7/durable-execution/4711/0d0c5b1e", resource)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_its_handler(stack: MotoStack, name: str) -> None:
    assert callable(FUNCTIONS[name].handler())


def test_every_handler_has_its_function() -> None:
    assert {path.stem for path in (ROOT / "functions").glob("*.py")} == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_handler_is_named_as_its_function(name: str) -> None:
    assert name == re.sub(r"(?<!^)(?=[A-Z])", "_", FUNCTIONS[name].logical_id).lower()


def test_only_the_functions_that_check_signatures_have_cryptography() -> None:
    """PyJWT imports it wherever it finds it, which slows the start of a function that signs tokens."""
    with_it = {name for name, it in FUNCTIONS.items() if {"Ref": "PublicKeyLayer"} in it.properties.get("Layers", [])}
    assert with_it == {"accept_callback", "accept_delivery", "try_endpoint", "finish_sign_in", "begin_session"}
    usual = TEMPLATE.resolve(TEMPLATE.body["Globals"]["Function"]["Layers"], {"DependencyLayer": {"Ref": "the libraries"}})
    assert usual == ["the libraries"]
    assert "cryptography" in (ROOT / "layers/public_keys/requirements.txt").read_text()
    assert "cryptography" not in (ROOT / "layers/dependencies/requirements.txt").read_text()


def test_only_data_outlives_the_stack_and_not_a_stack_that_never_was() -> None:
    kept = {name: it["DeletionPolicy"] for name, it in TEMPLATE.body["Resources"].items() if "DeletionPolicy" in it}
    assert kept == dict.fromkeys(["Table", "OutputBucket", "OutputBucketPolicy"], "RetainExceptOnCreate")
    assert all(TEMPLATE.body["Resources"][name]["UpdateReplacePolicy"] == "Retain" for name in kept)


@pytest.mark.parametrize(("given", "expected"), [("", None), ("10000", {"WriteUnitsPerSecond": "10000"})])
def test_the_table_and_each_index_are_warm_only_if_the_operator_says_so(given: str, expected: Any) -> None:
    table = Template.load({"WarmWritesPerSecond": given}).resources("AWS::DynamoDB::Table")["Table"]
    resolved = Template.load({"WarmWritesPerSecond": given}).resolve(table, NAMES)
    assert [it.get("WarmThroughput") for it in (resolved, *resolved["GlobalSecondaryIndexes"])] == [expected] * 4


def test_the_table_can_be_restored() -> None:
    table = TEMPLATE.body["Resources"]["Table"]
    assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["Properties"]["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"


def test_functions_log_their_own_lines_and_lambda_only_failures() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html: a line without a level, as of
    metrics, is INFO; START and REPORT of an invocation that went well are, too, and not WARN."""
    asked = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": {"Ref": "LogGroup"}}
    functions = processed().resources("AWS::Lambda::Function")
    assert [name for name, it in functions.items() if it["LoggingConfig"] != asked] == []


def test_everything_stored_is_encrypted_without_a_charge() -> None:
    """With keys that AWS owns or manages. A KMS key of the account is billed for each use: `test_customer_key.py`."""
    table, bucket = (made()[name]["Properties"] for name in ("Table", "OutputBucket"))
    assert table["SSESpecification"] == {"SSEEnabled": False}
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    queues = {name: it["Properties"] for name, it in made(**CHANNELS).items() if it["Type"] == "AWS::SQS::Queue"}
    assert {name: it["SqsManagedSseEnabled"] for name, it in queues.items()} == dict.fromkeys(queues, True)


def test_the_bucket_is_reached_only_with_tls(stack: MotoStack) -> None:
    [policy] = TEMPLATE.resources("AWS::S3::BucketPolicy").values()
    [statement] = stack.resolve(policy["PolicyDocument"])["Statement"]
    bucket = stack.resources["OutputBucket"]["Arn"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [bucket, f"{bucket}/*"]


NOT_OF_THE_API = {
    "show_console",
    "answer_slack",
    "begin_sign_in",
    "finish_sign_in",
    "sign_out",
    "console_session",
    "begin_session",
}
"""Functions that need no key, and that openapi.yaml does not have: only browsers and Slack call them."""


class TestConcurrency:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""

    RESERVED: ClassVar = {
        "CallbackConcurrency": {"accept_callback", "show_callback", "accept_delivery", *NOT_OF_THE_API},
        "ResumeConcurrency": {"resume_waiters", "schedule_timeouts", "expire_tokens"},
    }

    def reserved(self, **parameters: str) -> dict[str, str]:
        template, key = Template.load({**EVERYTHING, **parameters}), "ReservedConcurrentExecutions"
        having = {name: it.properties for name, it in template.functions().items() if key in it.properties}
        resolved = {name: template.resolve({key: properties[key]}, {}) for name, properties in having.items()}
        return {name: properties[key] for name, properties in resolved.items() if properties}

    def test_is_not_reserved_unless_asked_for(self) -> None:
        assert self.reserved() == {}

    @pytest.mark.parametrize("parameter", RESERVED)
    def test_is_reserved_for_the_functions_of_the_parameter(self, parameter: str) -> None:
        rounds = {"start_timers": 2} if parameter == "ResumeConcurrency" else {}  # one, and the next if it is late
        assert self.reserved(**{parameter: "20"}) == dict.fromkeys(self.RESERVED[parameter], "20") | rounds

    def test_of_the_functions_that_anyone_can_call_is_limited(self) -> None:
        without_a_key = [it for it in OPERATIONS if not it.credentials and it.method != "OPTIONS"]
        routes = [WITH_NOTICES.route(it.method, it.example_path()) for it in without_a_key]
        open_to_all = {route.function.name for route in routes if route} | NOT_OF_THE_API
        assert open_to_all == self.RESERVED["CallbackConcurrency"]

    def test_of_the_timers_is_never_more_than_is_reserved(self) -> None:
        """A message that Lambda throttles counts as received, and goes to the dead-letter queue in the end."""
        for parameters, expected in ({}, None), ({"ResumeConcurrency": "20"}, {"MaximumConcurrency": "20"}):
            [event] = FUNCTIONS["expire_tokens"].properties["Events"].values()
            scaling = {"ScalingConfig": event["Properties"]["ScalingConfig"]}
            assert Template.load(parameters).resolve(scaling, {}).get("ScalingConfig") == expected


def test_deployment_is_non_interactive() -> None:
    assert all("Default" in parameter for parameter in TEMPLATE.body["Parameters"].values())


def visibility_and_timeout(name: str) -> tuple[int, int]:
    """The seconds after which a function's message comes again, and for which it may run."""
    function = FUNCTIONS[name].properties
    [queue] = [event["Properties"]["Queue"] for event in function["Events"].values() if event["Type"] == "SQS"]
    visibility = TEMPLATE.resources("AWS::SQS::Queue")[queue["Fn::GetAtt"][0]]["VisibilityTimeout"]
    return visibility, function.get("Timeout", TEMPLATE.body["Globals"]["Function"]["Timeout"])


def test_the_visibility_timeout_of_timers_is_six_times_the_timeout_of_the_function() -> None:
    """As AWS asks for (docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html)."""
    visibility, timeout = visibility_and_timeout("expire_tokens")
    assert visibility >= 6 * timeout


def test_what_a_dead_function_had_to_send_is_sent_as_soon_as_its_claim_has_ended() -> None:
    """Lambda refuses less than the function's timeout, and asks for six times as much, so that a throttled batch is not
    received twice. A message that is received twice costs one read: its token is claimed.
    """
    visibility, timeout = visibility_and_timeout("send_notices")
    assert timeout * 1000 < CLAIMED_FOR <= visibility * 1000 <= CLAIMED_FOR + 30_000


@pytest.mark.parametrize("parameters", [{}, BUS, CHANNELS, {**CHANNELS, **BUS}], ids=["plain", "bus", "channels", "both"])
@pytest.mark.parametrize("told", [False, True], ids=["", "people are told"])
@pytest.mark.parametrize("waiters", [0, 1])
@pytest.mark.parametrize("status", StoredStatus)
def test_the_stream_hands_over_each_change_that_a_reader_has_something_to_do_about(
    status: StoredStatus, waiters: int, told: bool, parameters: dict[str, str]
) -> None:
    """A stored status that no filter names would lose the guarantee for its tokens. `hasNotify` is true, or there is none."""
    template, notifies = Template.load(parameters), told and "Teams" in parameters
    is_settled = status is not StoredStatus.WAITING
    for event in ("INSERT", "MODIFY"):
        change = record(status, waiters, **({"hasNotify": {"BOOL": True}} if told else {})) | {"eventName": event}
        readers = [passes(template.stream_filter(name), change) for name in ("schedule_timeouts", "resume_waiters")]
        has_more = bool(waiters) or "EventBusName" in parameters or notifies
        assert readers == [notifies and not is_settled, is_settled and has_more]


@pytest.mark.parametrize("name", ["schedule_timeouts", "resume_waiters"])
def test_a_mapping_has_no_more_filters_than_lambda_takes(name: str) -> None:
    """Five: docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html. One is left for the next release."""
    assert 1 < len(WITH_ALL.stream_filter(name)) <= 4


@pytest.mark.parametrize("name", ["answerCount", "handOverCount", "remindedCount", "escalatedAt"])
def test_with_an_event_bus_the_stream_hands_over_what_happens_to_waiting_tokens(name: str) -> None:
    waiting = record(StoredStatus.WAITING, waiters=1)
    waiting["dynamodb"]["NewImage"][name] = {"N": "1"}
    assert passes(WITH_BUS.stream_filter("resume_waiters"), waiting)
    assert not passes(WITH_BUS.stream_filter("resume_waiters"), record(StoredStatus.WAITING, waiters=1))
    assert not passes(TEMPLATE.stream_filter("resume_waiters"), waiting)


def test_with_an_event_bus_a_kept_completion_is_handed_over_once_it_is_claimed() -> None:
    patterns = WITH_BUS.stream_filter("resume_waiters")
    completed = Completed(1, Output("{}"))
    kept = Token(id=ids.new_id(1), created_at=1, outcome=completed, early_until=2_000)
    claimed = Token(id=ids.new_id(1), created_at=1, outcome=completed)
    assert not passes(patterns, {"eventName": "INSERT", "dynamodb": {"NewImage": token_item(kept)}})
    assert passes(patterns, {"eventName": "MODIFY", "dynamodb": {"NewImage": token_item(claimed)}})


def record(status: StoredStatus, waiters: int, **more: Any) -> dict[str, Any]:
    image = {"status": {"S": str(status)}, "waiterCount": {"N": str(waiters)}, "listShard": {"S": "0"}, **more}
    return {"eventName": "MODIFY", "dynamodb": {"NewImage": image}}


MAPPINGS: dict[str, dict[str, Any]] = {
    # a record is retried for half a day, and only the guarantee waits for more: a timer is started at once
    "resume_waiters": {"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": 43_200, "MaximumBatchingWindowInSeconds": 1},
    "schedule_timeouts": {"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": 43_200},
    # a failed message does not delay others
    "expire_tokens": {"BatchSize": 1},
    "send_notices": {"BatchSize": 1},
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_function_gets_what_it_consumes_in_time(name: str) -> None:
    [event] = FUNCTIONS[name].properties["Events"].values()
    mapping = event["Properties"]
    assert mapping.items() >= MAPPINGS[name].items()
    assert ("MaximumBatchingWindowInSeconds" in mapping) is (name == "resume_waiters")
    assert mapping["BatchSize"] <= 100  # as many keys as BatchGetItem takes
    assert event["Type"] == "SQS" or mapping["DestinationConfig"]["OnFailure"]["Type"] == "SQS"


def test_both_queues_retry_for_as_long_and_give_up_into_the_dead_letter_queue() -> None:
    timers, notices = (TEMPLATE.resources("AWS::SQS::Queue")[name] for name in ("TimerQueue", "NoticeQueue"))
    for name in ("RedrivePolicy", "MessageRetentionPeriod"):
        assert notices[name] == timers[name]
    assert notices["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, []),
        ({"AlarmEmail": "ops@example.com"}, ["topic of the stack"]),
        ({"AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:ops"}, ["arn:aws:sns:us-east-1:123456789012:ops"]),
        ({"AlarmEmail": "ops@example.com", "AlarmTopicArn": "arn:mine"}, ["topic of the stack", "arn:mine"]),
    ],
)
@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_notifies_every_given_recipient(name: str, parameters: dict[str, str], told: list[str]) -> None:
    template = Template.load(parameters)
    assert template.resolve(ALARMS[name]["AlarmActions"], {"AlarmTopic": {"Ref": "topic of the stack"}}) == told


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_leads_to_its_entry_in_the_runbook(name: str) -> None:
    """It begins with what users see: that is what the operator is asked about first."""
    assert ALARMS[name]["AlarmDescription"].endswith(f" See docs/operation.md#{name.lower()}.")
    entry = RUNBOOK.split(f"\n### {name}\n")[1].split("\n#")[0]
    assert re.findall(r"^- \*\*(.*?)\*\*", entry, re.MULTILINE) == ["Users see", "What happened", "Do", "Over when"]


def test_the_runbook_has_no_entry_of_an_alarm_that_is_gone() -> None:
    assert sorted(re.findall(r"^### (\w+Alarm)$", RUNBOOK, re.MULTILINE)) == sorted(ALARMS)


def test_docs_costs_has_the_price_of_the_alarms() -> None:
    secrets = len([name for name in TEMPLATE.resources("AWS::SecretsManager::Secret") if TEMPLATE.has(name)])
    usual = {name: it for name, it in ALARMS.items() if "Condition" not in TEMPLATE.body["Resources"][name]}
    watched = sum(
        len([it for it in alarm["Metrics"] if "MetricStat" in it]) if "Metrics" in alarm else 1 for alarm in usual.values()
    )
    page = (ROOT / "docs" / "costs.md").read_text()
    assert f"| {secrets} secrets | {0.40 * secrets:.2f} |" in page
    assert f"| {len(usual)} alarms on {watched} metrics | {0.10 * watched:.2f} |" in page


OF_STACK = ("service", STACK_NAME)
READS: dict[str, tuple[str, str, tuple[str, str], str, str]] = {
    # an alarm: namespace, metric, dimension, statistic, what a minute without data is
    "WaitFailedAlarm": ("AWS/Lambda", "Errors", ("FunctionName", "WaitForToken"), "Sum", "notBreaching"),
    "ResumeLateAlarm": ("AWS/Lambda", "IteratorAge", ("FunctionName", "ResumeWaiters"), "Maximum", "notBreaching"),
    "TimerLateAlarm": ("AWS/Lambda", "IteratorAge", ("FunctionName", "ScheduleTimeouts"), "Maximum", "notBreaching"),
    "RepairedByDoctorAlarm": ("Waitpoints", "RepairedByDoctor", OF_STACK, "Sum", "notBreaching"),
    "NoticesRefusedAlarm": ("Waitpoints", "NoticesRefused", OF_STACK, "Sum", "notBreaching"),
    "OldestWaitingAlarm": ("Waitpoints", "OldestWaiting", OF_STACK, "Maximum", "ignore"),
    "DoctorFailedAlarm": ("AWS/Lambda", "Errors", ("FunctionName", "Doctor"), "Sum", "notBreaching"),
    "DoctorMissingAlarm": ("Waitpoints", "Unrepaired", OF_STACK, "SampleCount", "breaching"),
}


@pytest.mark.parametrize("name", READS)
def test_an_alarm_reads_this_metric(name: str) -> None:
    """Throttled functions, too: API Gateway answers 503 then, and what is asynchronous is late."""
    alarm = TEMPLATE.resolve(ALARMS[name], NAMES)
    [dimension] = [(it["Name"], it["Value"]) for it in alarm["Dimensions"]]
    assert READS[name] == (
        *(alarm[it] for it in ("Namespace", "MetricName")),
        dimension,
        alarm["Statistic"],
        alarm["TreatMissingData"],
    )


def test_a_doctor_that_never_runs_raises_an_alarm_after_a_day() -> None:
    missing = ALARMS["DoctorMissingAlarm"]
    assert 86_400 < missing["Period"] * missing["EvaluationPeriods"] <= 604_800  # CloudWatch's limit


def test_the_topic_exists_only_with_an_address_and_cloudwatch_may_publish_to_it() -> None:
    """A topic's default policy allows it; encryption with the AWS managed key would prevent it."""
    assert TEMPLATE.body["Resources"]["AlarmTopic"]["Condition"] == "HasAlarmEmail"
    topic = made(AlarmEmail="ops@example.com")["AlarmTopic"]
    assert topic["Properties"] == {"Subscription": [{"Protocol": "email", "Endpoint": "ops@example.com"}]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "ApiFailedAlarm",
            {
                ("AWS/ApiGateway", "5xx", "ApiId", "Api"),
                ("AWS/ApiGateway", "Count", "ApiId", "Api"),
                ("Waitpoints", "RefusedOnPurpose", "service", STACK_NAME),
            },
        ),
        (
            "ResumeStoppedAlarm",
            {
                ("Waitpoints", "SettledWithWaiters", "service", STACK_NAME),
                ("AWS/Lambda", "Invocations", "FunctionName", "ResumeWaiters"),
            },
        ),
        (
            "TimersStoppedAlarm",
            {
                ("Waitpoints", "CreatedDueSoon", "service", STACK_NAME),
                ("AWS/Lambda", "Invocations", "FunctionName", "ScheduleTimeouts"),
            },
        ),
        (
            "BackgroundFailedAlarm",
            {
                ("AWS/Lambda", "Errors", "FunctionName", name)
                for name in ("ResumeWaiters", "ScheduleTimeouts", "StartTimers", "ExpireTokens", "SendNotices")
            },
        ),
    ],
)
def test_an_alarm_on_an_expression_reads_these_metrics(name: str, expected: set[tuple[str, ...]]) -> None:
    found = WITH_NOTICES.resolve(ALARMS[name]["Metrics"], NAMES)
    metrics = [it["MetricStat"]["Metric"] for it in found if "MetricStat" in it]
    assert {
        (it["Namespace"], it["MetricName"], it["Dimensions"][0]["Name"], it["Dimensions"][0]["Value"]) for it in metrics
    } == expected
    assert [it.get("ReturnData", True) for it in found] == [True] + [False] * len(metrics)
    assert set(re.findall(r"[a-z]+", found[0]["Expression"])) == {it["Id"] for it in found[1:]}


def test_each_function_whose_errors_no_caller_sees_has_an_alarm_on_them() -> None:
    """They are those that no HTTP request, state or durable function invokes."""
    unseen = {
        it.logical_id
        for it in FUNCTIONS.values()
        for event in it.properties.get("Events", {}).values()
        if event["Type"] != "HttpApi"
    }
    alarms = WITH_NOTICES.resolve([*ALARMS.values()], NAMES)
    metrics = [it["MetricStat"]["Metric"] for alarm in alarms for it in alarm.get("Metrics", []) if "MetricStat" in it]
    watched = [it for it in [*metrics, *alarms] if it.get("MetricName") == "Errors"]
    assert unseen <= {it["Dimensions"][0]["Value"] for it in watched}
    assert unseen == {*UNSEEN, "SendNotices"}


DOMAIN, ARN = "hooks.example.com", "arn:aws:acm:us-east-1:123456789012:certificate"
PATTERNS: dict[str, tuple[list[str], list[str]]] = {  # a parameter: what it accepts, and what not
    "MailFrom": (
        ["", "approvals@example.com", "way.points+prod@mail.example.co.uk"],
        ["Mail <a@example.com>", "a@example.com,b@example.com", "example.com", "a@example.com\r\nBcc: b@example.com"],
    ),
    "MailDomains": (
        ["", "example.com", ".example.com", "example.com,.example.com, xn--bcher-kva.example"],
        ["com", "*.example.com", "bücher.example", "a@example.com", "a.example b.example", "a.example,", "a.example.", "."],
    ),
    "EventBusName": (
        ["", "default", "orders", "my.bus_1-a"],
        ["arn:aws:events:us-east-1:123456789012:event-bus/orders", "a b", "aws.partner/x/y"],
    ),
    # 0 would stop the function. An event source takes 2 to 1,000
    "CallbackConcurrency": (["", "20", "1000"], ["0", "-1"]),
    "ResumeConcurrency": (["", "20", "1000"], ["0", "-1"]),
    "WarmWritesPerSecond": (["", "4000", "10000", "40000"], ["0", "3999", "40001", "10000.5"]),  # a new table has 4,000
    # API Gateway refuses upper case, and a wildcard is no base of a URL
    "DomainName": (["", DOMAIN, "xn--bcher-kva.example"], [f"https://{DOMAIN}", "*.example.com", "A.example.com", "localhost"]),
    "CertificateArn": (
        ["", f"{ARN}/0b5f4a7e-0000-4000-8000-000000000000", "arn:aws-cn:acm:cn-north-1:123456789012:certificate/4711"],
        ["arn:aws:iam::123456789012:server-certificate/mine"],
    ),
    "PermissionsBoundary": (
        ["", "arn:aws:iam::123456789012:policy/own/boundary", "arn:aws-cn:iam::aws:policy/PowerUserAccess"],
        ["boundary", "arn:aws:iam::123456789012:role/boundary", "arn:aws:iam::123456789012:policy/"],
    ),
    "KmsKeyArn": (  # IAM grants keys, not aliases
        ["", "arn:aws:kms:eu-west-1:123456789012:key/mrk-0b5f4a7e", "arn:aws-cn:kms:cn-north-1:123456789012:key/4711"],
        ["alias/mine", "arn:aws:kms:eu-west-1:123456789012:alias/mine", "4711"],
    ),
    "SubnetIds": (["", "subnet-0a1b", "subnet-0a1b,subnet-2c3d"], ["subnet-0a1b, subnet-2c3d", "subnet-0a1b,", "sg-0a1b"]),
    "SecurityGroupIds": (["", "sg-0a1b,sg-2c3d"], ["subnet-0a1b", ",".join(["sg-0a1b"] * 6)]),  # Lambda takes five
    "HostedZoneId": (["", "Z0123456789ABCDEFGHIJ"], ["example.com"]),
    # without a scheme, no one could follow a token's URL
    "PublicBaseUrl": (
        ["", "https://hooks.example.com", "https://example.com/waits/", "http://127.0.0.1:8787"],
        ["hooks.example.com", "https://", "https:///waits", "https://a.example/?a=b", "https://a.example b", "ftp://a.example"],
    ),
    # IAM takes a list for one ARN, which no run has
    "ResumableStateMachines": (
        ["", "*", "arn:aws:states:*:*:stateMachine:orders*"],
        ["orders*", "arn:aws:states:*:*:stateMachine:a*,arn:aws:states:*:*:stateMachine:b*"],
    ),
    "ResumableFunctions": (["", "*", "arn:aws:lambda:*:*:function:orders:*"], ["orders", "orders:*"]),
    "AlarmTopicArn": (
        ["", "arn:aws:sns:us-east-1:123456789012:alarms", "arn:aws-cn:sns:cn-north-1:123456789012:alarms"],
        ["alarms", "arn:aws:sqs:us-east-1:123456789012:alarms"],
    ),
    "TruststoreUri": (
        ["", "s3://certificates/authorities.pem"],
        ["https://certificates.s3.amazonaws.com/authorities.pem"],
    ),
}


@pytest.mark.parametrize("parameter", PATTERNS)
def test_a_parameter_accepts_only_what_it_names(parameter: str) -> None:
    accepted, refused = PATTERNS[parameter]
    pattern = TEMPLATE.body["Parameters"][parameter]["AllowedPattern"]
    assert [value for value in (*accepted, *refused) if re.search(pattern, value)] == accepted


def test_the_example_state_machine_runs_in_every_partition_and_retries_transient_errors(stack: MotoStack) -> None:
    [machine] = TEMPLATE.resources("AWS::Serverless::StateMachine").values()
    assert machine["DefinitionSubstitutions"]["Partition"] == {"Ref": "AWS::Partition"}
    definition = (ROOT / machine["DefinitionUri"]).read_text()
    assert "arn:aws:" not in definition
    [retry] = json.loads(definition)["States"]["Wait for webhook"]["Retry"]
    assert {"Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"} <= set(retry["ErrorEquals"])
    assert retry["JitterStrategy"] == "FULL"
