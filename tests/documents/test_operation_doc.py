"""docs/operation.md says what the stack is, where a test can know it."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from tests.support.deployer_policy import POLICY
from tests.support.in_process.template import ROOT, STACK_NAME
from tests.support.processed_template import attributes, processed, processed_gradually, texts
from tests.support.resource_schemas import services
from tools.on_aws.__main__ import CLEAN_UP_MINUTES
from tools.on_aws.steps import STEPS

PAGE = (ROOT / "docs" / "operation.md").read_text()
HOUR = PAGE.split("\n## The first hour on AWS\n")[1].split("\n## ")[0]
DEPLOYS = PAGE.split("\n## Who deploys\n")[1].split("\n## ")[0]
UNUSED = {"ec2", "elasticfilesystem", "firehose", "kinesis", "kms", "s3files", "s3tables"}
"""Services that CloudFormation calls for properties that this stack has not."""


def test_the_services_that_a_deployment_needs_are_listed() -> None:
    """Those whose actions CloudFormation calls for the resources' types, by their schemas."""
    [listed] = re.findall(r"CloudFormation's ROLE needs (.+?); for an account's first domain", DEPLOYS, re.DOTALL)
    usual, gradually, zone = re.split(r"; for\s+gradual\s+deployments|; for\s+`HostedZoneId`", listed)
    kinds = {it["Type"] for it in processed().body["Resources"].values()} - {"AWS::Route53::RecordSet"}
    more = {it["Type"] for it in processed_gradually().body["Resources"].values()} - {"AWS::Route53::RecordSet"}
    assert named(usual) == services(kinds) - UNUSED
    assert named(gradually) == services(more) - services(kinds) - UNUSED
    assert named(zone) == services({"AWS::Route53::RecordSet"})


def test_the_services_that_a_permissions_boundary_must_allow_are_listed() -> None:
    """CodeDeploy publishes to SNS only for triggers, and has none. SAM lets roles use X-Ray if Tracing is Active."""
    template = processed_gradually()
    kinds = [template.resources(f"AWS::IAM::{kind}").values() for kind in ("Role", "ManagedPolicy")]
    attached = template.resolve([role.get("ManagedPolicyArns", []) for role in kinds[0]], attributes())
    documents = json.loads(aws_managed_policies_data)
    of_aws = {arn.rpartition("/")[2] for arns in attached for arn in arns} & documents.keys()
    used = {it.partition(":")[0] for it in actions([[*kind] for kind in kinds] + [documents[name] for name in of_aws])}
    [listed] = re.findall(r"allow what they do: (.+?)\.", DEPLOYS, re.DOTALL)
    assert named(listed) == used - {"sts", "sns"} | {"xray"}


def actions(value: Any) -> Iterator[str]:
    """Every action that a part of a template names."""
    if isinstance(value, list):
        for item in value:
            yield from actions(item)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from texts(member) if name == "Action" else actions(member)


def test_who_deploys_may_tag_the_stack_and_sams_own() -> None:
    """SAM tags its own one. Who creates a change set with tags needs TagResource besides, which has the key CreateAction:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
    """
    statements = json.loads(POLICY)["Statement"]
    tagging = [it for it in statements if any(fnmatch("cloudformation:TagResource", action) for action in texts(it["Action"]))]
    tagged = " ".join(resource for it in tagging for resource in texts(it["Resource"]))
    assert re.findall(r":stack/([\w-]+)/\*", tagged) == ["waitpoints-prod", "aws-sam-cli-managed-default"]


def test_the_statement_for_a_key_is_one_and_for_the_roles_of_a_stack() -> None:
    statement = json.loads((ROOT / "docs" / "key-policy-statement.json").read_text())
    assert statement["Condition"]["ArnLike"]["aws:PrincipalArn"].endswith(f":role/{STACK_NAME}-*")


def named(text: str) -> set[str]:
    """The names of services in a text. Those with a slash are resources."""
    return set(re.findall(r"`(\w+)`", text))


def test_the_first_hour_says_what_each_step_proves() -> None:
    steps = "".join(f"{number}. `{step.name}`: {step.proves}\n" for number, step in enumerate(STEPS, 1))
    assert f"\n\n{steps}\n" in HOUR, steps


def test_the_first_hour_takes_what_it_says() -> None:
    said = re.findall(
        r"up to (\d+) minutes and (\d+) cents; with `--all`, the last four steps too, (\d+) and a dollar",
        " ".join(HOUR.split()),
    )
    minutes, cents, with_all = map(int, said[0])
    assert [step.everything for step in STEPS] == [False] * (len(STEPS) - 4) + [True] * 4
    for steps, most, price in (([it for it in STEPS if not it.everything], minutes, cents), (STEPS, with_all, 100)):
        assert most / 2 < sum(step.minutes for step in steps) + CLEAN_UP_MINUTES < most
        assert sum(step.cents for step in steps) < price


def test_each_open_question_names_the_step_that_answers_it() -> None:
    rows = (ROOT / "docs" / "internals" / "aws.md").read_text().split("\n## What no one has seen on AWS yet\n")[1].splitlines()
    cells = [row.strip("| ").split(" | ") for row in rows if row.startswith("| ")][2:]
    answers = {row[0]: [it.name for it in STEPS if any(map(row[0].startswith, it.questions))] for row in cells}
    assert {row[0]: row[3] for row in cells} == {asked: ", ".join(steps) or "none" for asked, steps in answers.items()}
    assert sum(map(len, answers.values())) == sum(len(step.questions) for step in STEPS) > 5


def test_the_role_of_the_run_trusts_one_environment() -> None:
    [statement] = json.loads((ROOT / "docs" / "on-aws-trust.json").read_text())["Statement"]
    provider = statement["Principal"]["Federated"].partition("oidc-provider/")[2]
    [(operator, trusted)] = statement["Condition"].items()
    assert (statement["Action"], operator) == ("sts:AssumeRoleWithWebIdentity", "StringEquals")
    [environment] = re.findall(
        r"^    environment: (\w+)", (ROOT / ".github" / "workflows" / "on-aws.yml").read_text(), re.MULTILINE
    )
    [repository] = re.findall(r"`sub`: `(.+?):environment:prod`", DEPLOYS)
    assert trusted == {f"{provider}:aud": "sts.amazonaws.com", f"{provider}:sub": f"{repository}:environment:{environment}"}
    assert f"in the environment `{environment}`" in HOUR
