"""What the clean-up deletes, leaves alone, and says of what it cannot delete: on moto, with stacks and APIs written here."""

import json
import re
import time
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import jmespath
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto import mock_aws

from tools.on_aws.clean_up import KINDS, SECOND, STACKS, TAG, Kind, Left, Refused, clean, is_own, left, listed
from tools.stack import ROOT
from tools.zip_file import packed

RUN, FORCED = "wp1a2b3c4d", "FORCE_DELETE_STACK"
ALIKE = (f"{RUN}5", f"x{RUN}", f"{RUN}olders", "wp1a2b3c4")
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]})
ROLE, ITS_POLICY = "arn:aws:iam::123456789012:role/NAME", "arn:aws:iam::123456789012:policy/NAME"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:NAME"
RULE = {"Name": "NAME", "EventPattern": '{"source": ["x"]}'}
TARGET = {"Rule": "NAME", "Targets": [{"Id": "1", "Arn": QUEUE}]}
IRELAND = {"LocationConstraint": "eu-west-1"}
MACHINE = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
MADE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("iam", "create_role", {"RoleName": "NAME", "AssumeRolePolicyDocument": POLICY}),
    ("iam", "put_role_policy", {"RoleName": "NAME", "PolicyName": "inline", "PolicyDocument": POLICY}),
    ("iam", "create_policy", {"PolicyName": "NAME", "PolicyDocument": POLICY}),
    ("iam", "create_policy_version", {"PolicyArn": ITS_POLICY, "PolicyDocument": POLICY, "SetAsDefault": True}),
    ("iam", "attach_role_policy", {"RoleName": "NAME", "PolicyArn": ITS_POLICY}),
    ("sqs", "create_queue", {"QueueName": "NAME"}),
    ("lambda", "create_function", {"FunctionName": "NAME", "Role": ROLE, "Runtime": "python3.13", "Handler": "index.handler",
                                   "Code": {"ZipFile": packed({"index.py": b""})}}),
    ("lambda", "create_event_source_mapping", {"FunctionName": "NAME", "EventSourceArn": QUEUE}),
    ("lambda", "publish_layer_version", {"LayerName": "NAME", "Content": {"ZipFile": packed({"x.py": b""})}}),
    ("scheduler", "create_schedule", {"Name": "NAME", "ScheduleExpression": "rate(1 day)", 
        "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": QUEUE, "RoleArn": ROLE}}),
    ("scheduler", "create_schedule_group", {"Name": "NAME"}),
    ("events", "put_rule", RULE),
    ("events", "put_targets", TARGET),
    ("events", "create_event_bus", {"Name": "NAME"}),
    ("events", "put_rule", {**RULE, "EventBusName": "NAME"}),
    ("events", "put_targets", {**TARGET, "EventBusName": "NAME"}),
    ("stepfunctions", "create_state_machine", {"name": "NAME", "roleArn": ROLE, "definition": MACHINE}),
    ("sns", "create_topic", {"Name": "NAME"}),
    ("cloudwatch", "put_metric_alarm", {"AlarmName": "NAME", "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold"}),
    ("cloudwatch", "put_dashboard", {"DashboardName": "NAME", "DashboardBody": "{}"}),
    ("ssm", "put_parameter", {"Name": "/waitpoints/NAME/x", "Value": "x", "Type": "String"}),
    ("secretsmanager", "create_secret", {"Name": "waitpoints/NAME/X", "SecretString": "x"}),
    ("dynamodb", "create_table", {"TableName": "NAME", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}),
    ("logs", "create_log_group", {"logGroupName": "/aws/vendedlogs/NAME/api"}),
    ("s3", "create_bucket", {"Bucket": "waitpoints-NAME-0123abcd", "CreateBucketConfiguration": IRELAND}),
    ("s3", "put_bucket_versioning", {"Bucket": "waitpoints-NAME-0123abcd", "VersioningConfiguration": {"Status": "Enabled"}}),
    ("s3", "put_object", {"Bucket": "waitpoints-NAME-0123abcd", "Key": "x"}),
    ("s3", "delete_object", {"Bucket": "waitpoints-NAME-0123abcd", "Key": "x"}),
)  # fmt: skip


def rows(kinds: tuple[Kind, ...] = KINDS, top: Kind | None = None) -> Iterator[tuple[Kind, Kind]]:
    for kind in kinds:
        yield kind, top or kind
        yield from rows(kind.holds, top or kind)


CALLS = {
    (it.service, call): [top for of, top in rows() if of.service == it.service and call in (of.lists, of.deletes)]
    for it, _ in rows()
    for call in (it.lists, it.deletes)
    if call
}


def named(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: named(it, name) for key, it in value.items()}
    if isinstance(value, list):
        return [named(it, name) for it in value]
    return value.replace("NAME", name) if isinstance(value, str) else value


class Account:
    """A session whose calls fail as `failing` says. A stack has its status, and those that its deletions make of it."""

    def __init__(self) -> None:
        session = boto3.Session("x", "x", region_name="eu-west-1")
        session.events.register("before-call", self._answer)
        self.client = cache(session.client)
        self.empty()

    def empty(self) -> None:
        self.failing: set[tuple[str, str]] = set()
        self.said: list[str] = []
        self.asked: list[Any] = []
        self.stacks: dict[str, list[str]] = {}
        self.tags = {TAG: RUN}
        self.tagged: list[str] = []
        self.apis: set[str] = set()
        self.applications: set[str] = set()

    def make(self, name: str) -> None:
        for service, operation, parameters in MADE:
            getattr(self.client(service), operation)(**named(parameters, name))
        self.apis.add(name)
        self.applications.add(name)
        self.stacks[name] = ["CREATE_COMPLETE"]

    def content(self) -> dict[str, list[Any]]:
        return {kind.name: listed(self.client(kind.service), kind, RUN) for kind in KINDS}

    def clean(self) -> list[Left]:
        return clean(self, RUN, self.said.append, settle=0)

    def _answer(self, model: Any, params: Any, **_: Any) -> Any:
        """As AWS, where moto has no answer of its own."""
        name = xform_name(model.name)
        if (model.service_model.service_name, name) in self.failing:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No right"}}, model.name)
        answer = getattr(self, f"on_{name}", None)
        return answer and (SimpleNamespace(status_code=200), answer(params) or {})

    def on_get_apis(self, _: Any) -> Any:
        return {"Items": [{"ApiId": name[::-1], "Name": name} for name in sorted(self.apis)]}

    def on_delete_api(self, params: Any) -> None:
        self.apis.remove(params["url_path"].rpartition("/")[2][::-1])

    def on_list_applications(self, _: Any) -> Any:
        return {"applications": sorted(self.applications)}

    def on_delete_application(self, params: Any) -> None:
        self.applications.remove(json.loads(params["body"])["applicationName"])

    def on_describe_stacks(self, _: Any) -> Any:
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        return {"Stacks": [{"StackName": it, "StackStatus": status, "Tags": tags} for it, (status, *_) in self.stacks.items()]}

    def on_delete_stack(self, params: Any) -> None:
        name = params["body"]["StackName"]
        self.asked.append((name, params["body"].get("DeletionMode")))
        status, *rest = self.stacks.pop(name)
        self.stacks |= {name: rest} if rest else {}
        if status == "UPDATE_IN_PROGRESS":
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "It is being updated"}}, "DeleteStack")

    def on_get_resources(self, params: Any) -> Any:
        [of] = json.loads(params["body"])["TagFilters"]
        return {"ResourceTagMappingList": [{"ResourceARN": arn} for arn in self.tagged if RUN in of["Values"]]}


@pytest.fixture(scope="module")
def session() -> Account:
    """One for all tests: to make clients takes longer than what they do."""
    return Account()


@pytest.fixture
def account(session: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    session.empty()
    with mock_aws():
        yield session


@pytest.mark.slow  # it makes a hundred things
def test_only_what_is_the_runs_own_goes(account: Account) -> None:
    account.tags = {}
    for name in ALIKE:
        account.make(name)
    before = account.content()
    assert all(before.values())
    account.make(f"{RUN}older")
    account.make(RUN)
    assert account.clean() == []
    assert account.content() == before
    assert len(account.said) == len(set(account.said)) == 2 * len(KINDS)


@pytest.mark.thorough  # each makes twenty things
@pytest.mark.parametrize("call", sorted(CALLS), ids="-".join)
def test_each_failure_is_said_with_its_price_and_the_others_go_on(account: Account, call: tuple[str, str]) -> None:
    account.make(RUN)
    account.failing = {call}
    tops = CALLS[call]
    remain = {it.kind for it in account.clean()}
    account.failing = set()
    there = {name for name, items in account.content().items() if any(is_own(it, RUN) for it in items)}
    assert there | remain <= {kind.name for kind in tops} | ({"role", "policy"} if STACKS in tops else set())
    for kind in tops:
        start = f"not deleted  {kind.name} "
        assert [it for it in account.said if it.startswith(start) and f"(a month: {kind.price})" in it and "No right" in it]


@pytest.mark.parametrize(
    ("statuses", "modes"),
    [
        (["CREATE_IN_PROGRESS"], [None]),
        (["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"], [None, None]),
        (["DELETE_FAILED"], [FORCED]),
        (["CREATE_COMPLETE", "DELETE_FAILED"], [None, FORCED]),
    ],
)
def test_a_stack_is_waited_for_and_forced(account: Account, statuses: list[str], modes: list[str | None]) -> None:
    account.stacks = {RUN: statuses}
    assert account.clean() == []
    assert account.asked == [(RUN, it) for it in modes]


def test_a_stack_that_cannot_be_forced_is_left_with_the_role_that_deployed_it(account: Account) -> None:
    account.stacks = {RUN: ["CREATE_COMPLETE", "DELETE_FAILED", "DELETE_FAILED"]}
    account.client("iam").create_role(RoleName=f"{RUN}boundary", AssumeRolePolicyDocument=POLICY)
    assert [(it.kind, it.why) for it in account.clean()] == [
        ("stack", "DELETE_FAILED"),
        ("role", "a stack that is left may need it"),
    ]


@pytest.mark.parametrize("run", [RUN, "wp1a2b3c4", "wp1a2b3c4d-", "wp.*", ""])
@pytest.mark.parametrize(
    "bucket", [f"waitpoints-{RUN}-0123abcde", f"waitpoints-{RUN}0-0123abcd", f"x-waitpoints-{RUN}-0123abcd"]
)
def test_a_name_that_nothing_shows_to_be_a_runs_is_refused(account: Account, run: str, bucket: str) -> None:
    account.stacks, account.tags = {run: ["CREATE_COMPLETE"]}, {TAG: "another"}
    account.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=IRELAND)
    with pytest.raises(Refused, match=f"{TAG}="):
        clean(account, run, account.said.append, settle=0)
    assert account.stacks
    assert len(account.content()["bucket"]) == 1


def test_what_a_forced_deletion_leaves_is_found_by_its_tag(account: Account) -> None:
    """CloudFormation names a state machine and a secret without their stack."""
    account.stacks = {RUN: ["CREATE_COMPLETE"]}
    machine = account.client("stepfunctions").create_state_machine(name="WaitForWebhook-x", roleArn=ROLE, definition=MACHINE)
    account.client("secretsmanager").create_secret(Name="ApiKey-x", SecretString="x", Tags=[{"Key": TAG, "Value": RUN}])
    account.tagged = [machine["stateMachineArn"], "arn:aws:kms:eu-west-1:123456789012:key/x"]
    assert account.clean() == [Left("tagged", account.tagged[1], "unknown", "nothing here deletes it")]
    assert account.content()["state machine"] == account.content()["secret"] == []


def test_it_looks_again_until_nothing_more_appears(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function writes into its log after its deletion. The bucket is the last, as it shows whose the rest is."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        account.client("logs").create_log_group(logGroupName=f"/aws/lambda/{RUN}-{now[0]}")
        assert account.content()["bucket"]

    account.client("s3").create_bucket(Bucket=f"waitpoints-{RUN}-0123abcd", CreateBucketConfiguration=IRELAND)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert len(left(account, RUN)) == 1
    assert clean(account, RUN, account.said.append, settle=600) == []
    assert now == [600]
    assert account.content()["log group"] == account.content()["bucket"] == []


def sample(shape: Any) -> Any:
    """Return an answer of this shape in which all strings are the names of their members, at least as long as IAM asks."""
    if shape.type_name == "structure":
        return {name: sample(it) if it.type_name != "string" else f"{name:_<36}" for name, it in shape.members.items()}
    if shape.type_name == "list":
        return [sample(shape.member)]
    return {"integer": 1, "long": 1, "boolean": False, "map": {TAG: RUN}}.get(shape.type_name, "string")


@pytest.mark.parametrize("kind", [kind for kind, _ in rows()], ids=lambda it: it.name)
def test_the_services_models_have_what_a_row_names(account: Account, kind: Kind) -> None:
    model = account.client(kind.service).meta.service_model
    operations = {xform_name(it): model.operation_model(it) for it in model.operation_names}
    lists = operations[kind.lists]
    given = dict.fromkeys(jmespath.search(kind.within, {}), "x" * 36) if kind.within else {}
    assert not ParamValidator().validate({**kind.asks, **given}, lists.input_shape).has_errors()
    [found, *_] = jmespath.search(kind.each, sample(lists.output_shape))
    assert all(it is not None for it in found.values()), found
    if kind.deletes:
        taken = given | {name: it for name, it in found.items() if not name.startswith("_")}
        assert not ParamValidator().validate(taken, operations[kind.deletes].input_shape).has_errors()


def test_no_step_gives_a_second_stack_a_name_that_the_clean_up_does_not_know() -> None:
    sources = [*(ROOT / "tools" / "on_aws").glob("*.py"), ROOT / "examples" / "first_hour.sh"]
    name = re.compile(r"""(?:\{stack\.name\}|\$\{(?:stack|STACK|RUN)\}|\$(?:stack|STACK|RUN)["'])([a-z]+)""")
    assert {it for path in sources for it in name.findall(path.read_text())} <= set(SECOND)
    assert name.findall("""f"{stack.name}x" ${RUN}y "$stack"z""" + '"') == ["x", "y", "z"]
