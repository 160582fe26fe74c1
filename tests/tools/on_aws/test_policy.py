"""docs/on-aws-policy.json allows what each step calls, on what has a run's name, and nothing else."""

import json
from fnmatch import fnmatchcase
from functools import cache

import boto3
import pytest
from botocore import xform_name

from tests.support import resource_schemas
from tests.support.deployer_policy import OF_A_KEY, OPERATOR
from tests.support.processed_template import processed, processed_gradually, texts
from tests.support.programs import printed
from tests.tools.on_aws.test_clean_up import RUN, rows
from tools.on_aws.steps import STEPS
from tools.stack import ROOT, program

STATEMENTS = json.loads((ROOT / "docs" / "on-aws-policy.json").read_text())["Statement"]
ALLOWED = sorted({action for it in STATEMENTS for action in it["Action"]})
OF_OPTIONS = {"ec2", "elasticfilesystem", "firehose", "kinesis", "kms", "route53", "s3files", "s3tables"}
"""Services of properties that no stack of a run has."""
SERVICES = {"apigatewayv2": "apigateway", "stepfunctions": "states"}
NAMES = {  # of actions that are not named for their operation
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "apigateway:GetApis": "apigateway:GET",
    "apigateway:DeleteApi": "apigateway:DELETE",
}
LINTER = """
import json, sys
from policy_sentry.querying.actions import get_action_data, get_actions_for_service
known = {it: get_actions_for_service(it) for it in {action.partition(":")[0] for action in sys.argv[1:]}}
print(json.dumps({it: [row["resource_arn_format"] for row in get_action_data(*it.split(":"))[it.split(":")[0]]]
    for actions in known.values() for it in actions}))
"""
"""What the `policies` environment knows of IAM's actions: what each can be limited to."""


@cache
def cleans() -> set[str]:
    """What the clean-up calls, by its table."""
    found = {"tag:GetResources"}
    for kind, _ in rows():
        operations = {xform_name(it): it for it in boto3.client(kind.service, "eu-west-1").meta.service_model.operation_names}
        found |= {f"{SERVICES.get(kind.service, kind.service)}:{operations[it]}" for it in (kind.lists, kind.deletes) if it}
    return {NAMES.get(it, it) for it in found}


@cache
def deploys() -> set[str]:
    """What SAM calls, and CloudFormation with the caller's rights, by the schemas of the types that a stack has."""
    kinds = {it["Type"] for template in (processed(), processed_gradually()) for it in template.body["Resources"].values()}
    handlers = [it for kind in kinds for name, it in resource_schemas.schema(kind)["handlers"].items() if name != "list"]
    called = {it for handler in handlers for it in handler["permissions"] if it.partition(":")[0] not in OF_OPTIONS}
    return (
        called
        | calls("cloudformation CreateChangeSet DescribeChangeSet DescribeStackEvents ExecuteChangeSet")
        | {"s3:PutObject"}
    )


def calls(text: str) -> set[str]:
    service, *actions = text.split()
    return {f"{service}:{it}" for it in actions}


DEPLOYS = {"what deploys() returns"}
MACHINE = calls("states CreateStateMachine DeleteStateMachine DescribeStateMachine ValidateStateMachineDefinition")
OPERATES = {action for it in json.loads(OPERATOR)["Statement"] for action in texts(it["Action"])} - OF_A_KEY
"""What an operator's commands call, as tests/e2e/test_operator_policy.py shows."""
CALLS = {
    "account": calls("iam SimulatePrincipalPolicy") | calls("freetier GetAccountPlanState") | calls("budgets ViewBudget")
        | calls("servicequotas GetServiceQuota") | calls("lambda GetAccountSettings") | calls("cloudformation DescribeStacks"),
    "bucket": calls("s3 CreateBucket PutBucketTagging PutBucketPublicAccessBlock"),
    "archive upgrade gradual broken cdk": DEPLOYS,
    "events template": calls("cloudformation ListStacks DescribeStackEvents GetTemplate"),
    "routes stage": calls("apigateway GET"),
    "smoke smoke-again named-key bodies timeouts load": OPERATES,
    "definitions refused-resume": OPERATES | MACHINE | DEPLOYS,
    "durable": DEPLOYS | calls("lambda InvokeFunction GetDurableExecution") | calls("ssm GetParameters"),
    "bus": DEPLOYS | calls("sqs ReceiveMessage"),
    "restore": OPERATES | calls("dynamodb RestoreTableToPointInTime DescribeTable DeleteItem DeleteTable"),
    "metrics alarms": calls("cloudwatch ListMetrics DescribeAlarms"),
    "reports logs": calls("logs FilterLogEvents") | calls("lambda GetFunctionConfiguration UpdateFunctionConfiguration"),
    "boundary": DEPLOYS | calls("iam CreateRole AttachRolePolicy PutRolePolicy PassRole DeleteRole") | calls("sts AssumeRole"),
    "clean-up": set(),
}  # fmt: skip
LIMITED = {
    "cloudformation:DeleteStack": "arn:aws:cloudformation:eu-west-1:123456789012:stack/NAMEolder/0a",
    "dynamodb:DeleteTable": "arn:aws:dynamodb:eu-west-1:123456789012:table/NAME-Table-X",
    "iam:PassRole": "arn:aws:iam::123456789012:role/NAME-DoctorRole-X",
    "lambda:InvokeFunction": "arn:aws:lambda:eu-west-1:123456789012:function:NAMEdurable-Approval-X:live",
    "logs:DeleteLogGroup": "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/NAME/api:log-stream:",
    "s3:DeleteObject": "arn:aws:s3:::waitpoints-NAME-0123abcd/archive/x",
    "secretsmanager:GetSecretValue": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:waitpoints/NAME/FIRST_HOUR-x",
    "sqs:DeleteQueue": "arn:aws:sqs:eu-west-1:123456789012:NAME-DeadLetterQueue-X",
    "states:StartExecution": "arn:aws:states:eu-west-1:123456789012:stateMachine:NAME-second",
}


def called(steps: str) -> set[str]:
    if steps == "clean-up":
        return cleans()
    return (CALLS[steps] - DEPLOYS) | (deploys() if CALLS[steps] >= DEPLOYS else set())


def is_allowed(action: str, resource: str = "") -> bool:
    return any(
        any(fnmatchcase(action.lower(), it.lower()) for it in statement["Action"])
        and (not resource or any(fnmatchcase(resource, it) for it in texts(statement["Resource"])))
        for statement in STATEMENTS
    )


def test_each_step_has_a_row() -> None:
    assert sorted(" ".join(CALLS).split()) == sorted([*(step.name for step in STEPS), "clean-up"])


@pytest.mark.parametrize("steps", CALLS)
def test_what_a_step_calls_is_allowed(steps: str) -> None:
    assert [it for it in sorted(called(steps)) if not is_allowed(it)] == []


@pytest.mark.parametrize("action", ALLOWED)
def test_what_is_allowed_a_step_calls(action: str) -> None:
    assert any(fnmatchcase(it.lower(), action.lower()) for steps in CALLS for it in called(steps))


@pytest.mark.parametrize("action", LIMITED)
def test_what_has_another_name_is_not_allowed(action: str) -> None:
    assert is_allowed(action, LIMITED[action].replace("NAME", RUN))
    assert not is_allowed(action, LIMITED[action].replace("NAME", "waitpoints-prod"))


@pytest.mark.slow  # it starts a process
def test_iam_has_these_actions_and_what_is_not_limited_cannot_be() -> None:
    known = json.loads(printed([program("policies", "python"), "-c", LINTER, *ALLOWED]))
    newer = {"freetier:GetAccountPlanState"}
    assert {it for it in ALLOWED if not any(fnmatchcase(action.lower(), it.lower()) for action in known)} == newer
    unlimited = {
        it for it in STATEMENTS[-1]["Action"] for action, of in known.items() if fnmatchcase(action, it) and of != ["*"]
    }
    lists_all = {"cloudformation:DescribeStacks", "cloudwatch:DescribeAlarms"}
    assert unlimited == lists_all | {"budgets:ViewBudget", "iam:SimulatePrincipalPolicy"}
