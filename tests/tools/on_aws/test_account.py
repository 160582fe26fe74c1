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

RUN, OWNER = "wp1a2b3c4d", "999999999999"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{OWNER}:secret:"
IDENTITY = {"Account": OWNER, "UserId": "AROA", "Arn": f"arn:aws:sts::{OWNER}:assumed-role/runner/session"}
PLAN = {"accountId": OWNER, "accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"}
NOTIFICATION = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}
API = {"ProtocolType": "HTTP", "RouteSelectionExpression": "$request.method $request.path"}
TAGS = [{"Key": TAG, "Value": RUN}]
Call = tuple[str, str, dict[str, Any], Any]


def stacks(*names: str) -> dict[str, Any]:
    time = datetime(2026, 12, 3, tzinfo=UTC)
    return {"Stacks": [{"StackName": it, "CreationTime": time, "StackStatus": "REVIEW_IN_PROGRESS"} for it in names]}


def decisions(actions: str, decision: str = "allowed") -> dict[str, Any]:
    return {"EvaluationResults": [{"EvalActionName": it, "EvalDecision": decision} for it in actions.split()]}


GOOD: tuple[Call, ...] = (
    ("sts", "get_caller_identity", {}, IDENTITY),
    ("cloudformation", "describe_stacks", {}, stacks("prod")),
    ("freetier", "get_account_plan_state", {}, PLAN),
    ("lambda", "get_account_settings", {}, {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 9}}),
    ("service-quotas", "get_service_quota", {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}, {"Quota": {"Value": 1000}}),
    ("service-quotas", "get_service_quota", {"ServiceCode": "states", "QuotaCode": "L-EACE83FA"}, {"Quota": {"Value": 500}}),
    *(("iam", "simulate_principal_policy", {
        "PolicySourceArn": f"arn:aws:iam::{OWNER}:role/runner", "ActionNames": actions.split(),
        "ResourceArns": [resource.format(region="eu-west-1", account=OWNER, run=RUN)],
    }, decisions(actions)) for resource, actions in RIGHTS.items()),
    ("budgets", "describe_budgets", {"AccountId": OWNER},
     {"Budgets": [{"BudgetName": "all", "TimeUnit": "MONTHLY", "BudgetType": "COST"}]}),
    ("budgets", "describe_notifications_for_budget", {"AccountId": OWNER, "BudgetName": "all"},
     {"Notifications": [NOTIFICATION]}),
)  # fmt: skip
VALUES = {
    ("ApiKey-x", "AWSCURRENT"): "new",
    ("ApiKey-x", "AWSPREVIOUS"): "old",
    (f"waitpoints/{RUN}/X", "AWSCURRENT"): '{"inner": "member"}',
    (f"waitpoints/{RUN}/X", "AWSPREVIOUS"): "ResourceNotFoundException",
}
SECRETS: tuple[Call, ...] = (
    ("sts", "get_caller_identity", {}, IDENTITY),
    ("apigatewayv2", "get_apis", {}, {"Items": [{"ApiId": it, "Name": it, **API} for it in (RUN, f"{RUN}older", "prod")]}),
    ("secretsmanager", "list_secrets", {"IncludePlannedDeletion": True}, {"SecretList": [
        {"ARN": f"{SECRET}ApiKey-x", "Tags": TAGS}, {"ARN": f"{SECRET}waitpoints/{RUN}/X"}, {"ARN": f"{SECRET}ApiKey-y"},
    ]}),
    *(("secretsmanager", "get_secret_value", {"SecretId": SECRET + name, "VersionStage": stage},
       value if value.endswith("Exception") else {"SecretString": value}) for (name, stage), value in VALUES.items()),
)  # fmt: skip
FOUND = {
    "sts": {(OWNER, "account")},
    "apigatewayv2": {(RUN, "api"), (f"{RUN}older", "api")},
    "secretsmanager": {(it, "secret") for it in ("new", "old", '{"inner": "member"}', "member")},
}


def session(calls: Iterable[Call], failing: Call | None = None) -> Any:
    """A session that answers these calls, of a service in this order. An answer that is a text is an error's code."""
    stubbers: dict[str, Stubber] = {}
    for call in calls:
        service, operation, asks, answer = call
        if service not in stubbers:
            stubbers[service] = Stubber(boto3.client(service, "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"))
            stubbers[service].activate()
        if call is failing or isinstance(answer, str):
            stubbers[service].add_client_error(operation, "AccessDenied" if call is failing else answer, "No right")
        else:
            stubbers[service].add_response(operation, answer, asks)
    return SimpleNamespace(
        region_name="eu-west-1",
        client=lambda service, **_: stubbers[service].client,
        get_credentials=lambda: Credentials("key-id", "secret-key", None),
    )


def changed(operation: str, answer: Any) -> Any:
    return session((service, it, asks, answer if it == operation else good) for service, it, asks, good in GOOD)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: SimpleNamespace(stdout=f"{command[0]} 1.0\n"))


def test_an_account_in_which_a_run_may_begin() -> None:
    found = look(session(GOOD), RUN)
    assert (found.account, found.region, found.refusals) == (OWNER, "eu-west-1", [])
    assert found.findings == [
        "plan: PAID, ACTIVE",
        "quota: 10 functions at once, 9 of them not reserved",
        "quota: L-B99A9384, functions at once: 1000",
        "quota: L-EACE83FA, SendTaskSuccess a second: 500",
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
    ("operation", "answer", "said"),
    [
        ("get_account_plan_state", {**PLAN, "accountPlanType": "FREE"}, "plan: with the free plan, AWS may refuse"),
        ("get_service_quota", {"Quota": {"Value": 10}}, "quota: that is too little: aws service-quotas request-service-quota-"),
        ("simulate_principal_policy", decisions("tag:GetResources", "implicitDeny"), "rights: missing: tag:GetResources"),
        ("get_caller_identity", {**IDENTITY, "Arn": f"arn:aws:iam::{OWNER}:root"}, "rights: the root user has all"),
        ("describe_notifications_for_budget", {"Notifications": []}, "budget: none has an alarm. To be told of five dollars"),
        ("describe_stacks", stacks(f"{RUN}older", "prod"), f"There is a stack {RUN}older already"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(operation: str, answer: Any, said: str) -> None:
    found = look(changed(operation, answer), RUN)
    assert [it for it in found.findings + found.refusals if it.startswith(said)]


def test_a_program_that_is_missing_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "/nowhere")
    assert [it for it in look(session(GOOD), RUN).findings if it.startswith("version: it cannot be seen")]


def test_what_may_not_be_published_is_known() -> None:
    found = set(secrets_of(session(SECRETS), RUN))
    assert found == set.union(*FOUND.values(), {("key-id", "credential"), ("secret-key", "credential")})


@pytest.mark.parametrize("call", SECRETS, ids=lambda it: it[1])
def test_what_cannot_be_read_does_not_hide_the_rest(call: Call) -> None:
    found: set[tuple[str, str]] = set()
    with pytest.raises(ClientError, match="No right"):
        found.update(secrets_of(session(SECRETS, call), RUN))
    assert found >= set.union(*(it for service, it in FOUND.items() if service != call[0]))
