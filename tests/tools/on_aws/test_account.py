"""What a run asks of an account. botocore's models check what is sent and answered, and each call fails in turn."""

import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from tools.on_aws.account import RIGHTS, look, secrets_of
from tools.on_aws.clean_up import TAG

RUN, OWNER, TIME = "wp1a2b3c4d", "999999999999", datetime(2026, 12, 3, tzinfo=UTC)
SECRET = f"arn:aws:secretsmanager:eu-west-1:{OWNER}:secret:"
ROLE = f"arn:aws:sts::{OWNER}:assumed-role/runner/session"
BUDGET = {"BudgetName": "all", "TimeUnit": "MONTHLY", "BudgetType": "COST"}
NOTIFICATION = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}
Call = tuple[str, str, dict[str, Any], Any]


def identity(arn: str = ROLE) -> Call:
    return "sts", "get_caller_identity", {}, {"Account": OWNER, "UserId": "AROA", "Arn": arn}


def stacks(*names: str) -> Call:
    found = [{"StackName": it, "CreationTime": TIME, "StackStatus": "REVIEW_IN_PROGRESS"} for it in names]
    return "cloudformation", "describe_stacks", {}, {"Stacks": found}


def plan(kind: str = "PAID") -> Call:
    return (
        "freetier",
        "get_account_plan_state",
        {},
        {"accountId": OWNER, "accountPlanType": kind, "accountPlanStatus": "ACTIVE"},
    )


def limit(number: int = 1000) -> Call:
    return (
        "lambda",
        "get_account_settings",
        {},
        {"AccountLimit": {"ConcurrentExecutions": number, "UnreservedConcurrentExecutions": 9}},
    )


def quota(service: str, code: str, value: float = 1000) -> Call:
    asks = {"ServiceCode": service, "QuotaCode": code}
    return "service-quotas", "get_service_quota", asks, {"Quota": {**asks, "Value": value}}


def rights(resource: str, denied: str = "") -> Call:
    asks = {"PolicySourceArn": f"arn:aws:iam::{OWNER}:role/runner", "ActionNames": RIGHTS[resource].split()}
    asks["ResourceArns"] = [resource.format(region="eu-west-1", account=OWNER, run=RUN)]
    results = [
        {"EvalActionName": it, "EvalDecision": "implicitDeny" if it == denied else "allowed"} for it in asks["ActionNames"]
    ]
    return "iam", "simulate_principal_policy", asks, {"EvaluationResults": results}


def budgets(*notifications: dict[str, Any]) -> list[Call]:
    of = {"AccountId": OWNER}
    return [
        ("budgets", "describe_budgets", of, {"Budgets": [BUDGET]}),
        ("budgets", "describe_notifications_for_budget", {**of, "BudgetName": "all"}, {"Notifications": [*notifications]}),
    ]


def api(id_: str, name: str) -> dict[str, str]:
    return {"ApiId": id_, "Name": name, "ProtocolType": "HTTP", "RouteSelectionExpression": "$request.method $request.path"}


def value(name: str, stage: str, answer: str) -> Call:
    asks = {"SecretId": f"{SECRET}{name}", "VersionStage": stage}
    return "secretsmanager", "get_secret_value", asks, answer if answer.endswith("Exception") else {"SecretString": answer}


GOOD = [
    identity(), stacks("prod"), plan(), limit(), quota("lambda", "L-B99A9384"), quota("states", "L-EACE83FA"),
    *map(rights, RIGHTS), *budgets(NOTIFICATION),
]  # fmt: skip
SECRETS: list[Call] = [
    identity(),
    ("apigatewayv2", "get_apis", {}, {"Items": [api("one", RUN), api("two", f"{RUN}older"), api("others", "prod")]}),
    ("secretsmanager", "list_secrets", {"IncludePlannedDeletion": True}, {"SecretList": [
        {"ARN": f"{SECRET}ApiKey-x", "Name": "ApiKey-x", "Tags": [{"Key": TAG, "Value": RUN}]},
        {"ARN": f"{SECRET}waitpoints/{RUN}/X-x", "Name": f"waitpoints/{RUN}/X"},
        {"ARN": f"{SECRET}ApiKey-y", "Name": "ApiKey-y", "Tags": [{"Key": TAG, "Value": "another"}]},
    ]}),
    value("ApiKey-x", "AWSCURRENT", "new"), value("ApiKey-x", "AWSPREVIOUS", "old"),
    value(f"waitpoints/{RUN}/X-x", "AWSCURRENT", '{"inner": "member"}'),
    value(f"waitpoints/{RUN}/X-x", "AWSPREVIOUS", "ResourceNotFoundException"),
]  # fmt: skip
FOUND = {
    "sts": {(OWNER, "account")},
    "apigatewayv2": {("one", "api"), ("two", "api")},
    "secretsmanager": {(it, "secret") for it in ("new", "old", '{"inner": "member"}', "member")},
}


def session(calls: Iterable[Call], error: Call | None = None) -> Any:
    """A session that answers these calls, of a service in this order. An error comes in place of one. A text is a code."""
    stubbers: dict[str, Stubber] = {}
    for call in calls:
        service, operation, asks, answer = call
        if service not in stubbers:
            stubbers[service] = Stubber(boto3.client(service, "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"))
            stubbers[service].activate()
        if call is error or isinstance(answer, str):
            stubbers[service].add_client_error(operation, "AccessDenied" if call is error else answer, "No right")
        else:
            stubbers[service].add_response(operation, answer, asks)
    return SimpleNamespace(
        region_name="eu-west-1",
        client=lambda service, **_: stubbers[service].client,
        get_credentials=lambda: Credentials("key-id", "secret-key", None),
    )


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: SimpleNamespace(stdout=f"{command[0]} 1.0\n"))


def test_an_account_in_which_a_run_may_begin() -> None:
    found = look(session(GOOD), RUN)
    assert (found.account, found.region, found.refusals) == (OWNER, "eu-west-1", [])
    assert found.findings == [
        "plan: PAID, ACTIVE",
        "quota: 1000 functions at once, 9 of them not reserved",
        "quota: L-B99A9384, functions at once: 1000",
        "quota: L-EACE83FA, SendTaskSuccess a second: 1000",
        "version: aws 1.0",
        "version: sam 1.0",
        "rights: IAM allows those of 6 kinds that were asked for",
        "budget: all has an alarm",
    ]


@pytest.mark.parametrize("call", GOOD, ids=lambda it: it[1])
def test_a_call_that_fails_is_a_finding_and_a_stack_that_nobody_sees_a_refusal(call: Call) -> None:
    found = look(session(GOOD, call), RUN)
    [said] = [it for it in found.findings + found.refusals if "No right" in it]
    assert (said in found.refusals) == (call[0] in ("sts", "cloudformation"))
    assert found.refusals or len({it.partition(":")[0] for it in found.findings}) == 5


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([plan("FREE")], "plan: with the free plan, AWS may refuse"),
        ([quota("lambda", "L-B99A9384", 10)], "quota: that is too little: aws service-quotas request-service-quota-increase "),
        ([rights("*", "tag:GetResources")], "rights: missing: tag:GetResources"),
        ([identity(f"arn:aws:iam::{OWNER}:root")], "rights: the root user has all"),
        (
            budgets(),
            f"budget: none has an alarm. To be told of five dollars a month: aws budgets create-budget --account-id {OWNER} ",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_said(calls: list[Call], said: str) -> None:
    changed = {str(it[:3]): it for it in GOOD} | {str(it[:3]): it for it in calls}
    assert [it for it in look(session(changed.values()), RUN).findings if it.startswith(said)]


def test_a_program_that_is_missing_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "/nowhere")
    assert [it for it in look(session(GOOD), RUN).findings if it.startswith("version: it cannot be seen")]


@pytest.mark.parametrize("names", [[RUN], [f"{RUN}older", "prod"]])
def test_where_a_stack_of_its_name_is_a_run_is_refused(names: list[str]) -> None:
    changed = [stacks(*names) if it[0] == "cloudformation" else it for it in GOOD]
    assert look(session(changed), RUN).refusals == [f"There is a stack {names[0]} already"]


def test_what_may_not_be_published_is_known() -> None:
    found = set(secrets_of(session(SECRETS), RUN))
    assert found == set.union(*FOUND.values(), {("key-id", "credential"), ("secret-key", "credential")})


@pytest.mark.parametrize("call", SECRETS, ids=lambda it: it[1])
def test_what_cannot_be_read_does_not_hide_the_rest(call: Call) -> None:
    found: set[tuple[str, str]] = set()
    with pytest.raises(ClientError, match="No right"):
        found.update(secrets_of(session(SECRETS, call), RUN))
    assert found >= set.union(*(it for service, it in FOUND.items() if service != call[0]))
