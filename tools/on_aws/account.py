"""What there is to know of an account before a run, and of its values before its evidence is published."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boto3

from tools.on_aws.clean_up import FAILURES, KINDS, is_own, listed

QUOTAS = (("lambda", "L-B99A9384", "functions at once", 100), ("states", "L-EACE83FA", "SendTaskSuccess a second", 100))
"""A service, its quota, what it limits, and what a run needs of it."""
BUDGET = (
    "none has an alarm. To be told of five dollars a month: aws budgets create-budget --account-id {account} --budget "
    "'BudgetName=waitpoints,BudgetType=COST,TimeUnit=MONTHLY,BudgetLimit={{Amount=5,Unit=USD}}' "
    "--notifications-with-subscribers 'Notification={{NotificationType=ACTUAL,ComparisonOperator=GREATER_THAN,Threshold=80}},"
    "Subscribers=[{{SubscriptionType=EMAIL,Address=YOU@EXAMPLE.COM}}]'"
)

RIGHTS = {
    "arn:aws:cloudformation:{region}:{account}:stack/{run}/x": "cloudformation:CreateChangeSet cloudformation:DeleteStack",
    "arn:aws:dynamodb:{region}:{account}:table/{run}-x": "dynamodb:CreateTable dynamodb:DeleteTable",
    "arn:aws:iam::{account}:role/{run}-x": "iam:CreateRole iam:DeleteRole iam:PassRole",
    "arn:aws:lambda:{region}:{account}:function:{run}-x": "lambda:CreateFunction lambda:DeleteFunction",
    "arn:aws:s3:::{run}-x": "s3:CreateBucket s3:DeleteBucket",
    "*": "dynamodb:ListTables iam:ListRoles lambda:ListFunctions logs:DescribeLogGroups s3:ListAllMyBuckets tag:GetResources",
}
"""Some of docs/on-aws-policy.json, which is too long to ask for all of it."""
ABSENT = ("ResourceNotFoundException", "InvalidRequestException")  # no such version, or the secret is being deleted


@dataclass
class Account:
    account: str
    region: str
    findings: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """Why nothing may be made."""


def look(session: Any, run: str) -> Account:
    """Ask an account what a run should know. What it does not answer is a finding."""
    found = Account("unknown", session.region_name or "unknown")
    try:
        identity = session.client("sts").get_caller_identity()
        found.account = identity["Account"]
        found.refusals += [f"There is a stack {it['StackName']} already" for it in _own(session, "stack", run)]
    except FAILURES as error:
        found.refusals.append(f"Whether a stack {run} exists cannot be seen: {error}")
        return found
    for name, said in {
        "plan": _plan(session),
        "quota": _quotas(session),
        "version": _versions(),
        "rights": _rights(session, identity["Arn"], found.account, run),
        "budget": _budget(session, found.account),
    }.items():
        try:
            found.findings += [f"{name}: {it}" for it in said]
        except (*FAILURES, OSError, subprocess.SubprocessError) as error:
            found.findings.append(f"{name}: it cannot be seen: {error}")
    return found


def secrets_of(session: Any, run: str) -> Iterator[tuple[str, str]]:
    """Yield the values of a run that may not be published, with their kinds. At the end, raise why some could not be read."""
    errors: list[Exception] = []
    keys = session.get_credentials()
    yield from ((it, "credential") for it in (keys and (keys.access_key, keys.secret_key, keys.token)) or () if it)
    for ask in (
        lambda: [(session.client("sts").get_caller_identity()["Account"], "account")],
        lambda: [(it["ApiId"], "api") for it in _own(session, "API", run)],
        lambda: _secrets(session, run),
    ):
        try:
            yield from ask()
        except FAILURES as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _secrets(session: Any, run: str) -> Iterator[tuple[str, str]]:
    """The values of each secret now and before its rotation, whole and by member."""
    client, refused = session.client("secretsmanager"), None
    for item in _own(session, "secret", run):
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            try:
                value = client.get_secret_value(SecretId=item["SecretId"], VersionStage=stage).get("SecretString", "")
            except FAILURES as error:
                refused = refused if getattr(error, "response", {}).get("Error", {}).get("Code") in ABSENT else error
                continue
            yield value, "secret"
            with suppress(ValueError, AttributeError):
                yield from ((it, "secret") for it in json.loads(value).values() if isinstance(it, str))
    if refused:
        raise refused


def _plan(session: Any) -> Iterator[str]:
    plan = session.client("freetier", region_name="us-east-1").get_account_plan_state()
    yield f"{plan['accountPlanType']}, {plan['accountPlanStatus']}"
    if plan["accountPlanType"] == "FREE":
        yield "with the free plan, AWS may refuse some services or regions; when its credits are spent, it closes the account"


def _quotas(session: Any) -> Iterator[str]:
    limit = session.client("lambda").get_account_settings()["AccountLimit"]
    yield f"{limit['ConcurrentExecutions']} functions at once, {limit['UnreservedConcurrentExecutions']} of them not reserved"
    client = session.client("service-quotas")
    for service, code, what, needed in QUOTAS:
        value = client.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]
        yield f"{code}, {what}: {value:g}"
        if value < needed:
            yield (
                f"that is too little: aws service-quotas request-service-quota-increase --service-code {service} "
                f"--quota-code {code} --desired-value 1000"
            )


def _versions() -> Iterator[str]:
    for program in ("aws", "sam"):
        yield subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def _rights(session: Any, arn: str, account: str, run: str) -> Iterator[str]:
    """What of the run's policy IAM says that the caller may not do."""
    if arn.endswith(":root"):
        yield "the root user has all of them: a role with docs/on-aws-policy.json has what a run needs"
        return
    source = re.sub(":sts::([0-9]+):assumed-role/([^/]+)/.*", r":iam::\1:role/\2", arn)
    ask, missing = session.client("iam").get_paginator("simulate_principal_policy").paginate, []
    for resource, actions in RIGHTS.items():
        of_run = resource.format(region=session.region_name, account=account, run=run)
        for page in ask(PolicySourceArn=source, ActionNames=actions.split(), ResourceArns=[of_run]):
            missing += [it["EvalActionName"] for it in page["EvaluationResults"] if it["EvalDecision"] != "allowed"]
    yield f"missing: {', '.join(missing)}" if missing else f"IAM allows those of {len(RIGHTS)} kinds that were asked for"


def _budget(session: Any, account: str) -> Iterator[str]:
    client = session.client("budgets")
    for page in client.get_paginator("describe_budgets").paginate(AccountId=account):
        for name in [it["BudgetName"] for it in page.get("Budgets", [])]:
            if client.describe_notifications_for_budget(AccountId=account, BudgetName=name).get("Notifications"):
                yield f"{name} has an alarm"
                return
    yield BUDGET.format(account=account)


def _own(session: Any, name: str, run: str) -> list[dict[str, Any]]:
    [kind] = [it for it in KINDS if it.name == name]
    return [it for it in listed(session.client(kind.service), kind, run) if is_own(it, run)]


if __name__ == "__main__":
    looked = look(boto3.Session(), sys.argv[1])
    print(looked.region, *looked.findings, sep="\n")
    sys.exit("\n".join(looked.refusals) or 0)
