"""docs/operation.md says what the stack is, where a test can know it."""

import json
import re

from tests.support.in_process.template import ROOT, STACK_NAME, parse
from tests.support.processed_template import process, processed
from tests.support.resource_schemas import services
from tools.deploy import GRADUAL, gradual

PAGE = (ROOT / "docs" / "operation.md").read_text()
HOUR = PAGE.split("\n## The first hour on AWS\n")[1].split("\n## ")[0]
DEPLOYS = PAGE.split("\n## Who deploys\n")[1].split("\n## ")[0]
UNUSED = {"ec2", "elasticfilesystem", "firehose", "kinesis", "kms", "s3files", "s3tables"}
"""Services that CloudFormation calls for properties that this stack has not."""


def test_the_services_that_a_deployment_needs_are_listed() -> None:
    """Those whose actions CloudFormation calls for the resources' types, by their schemas."""
    [listed] = re.findall(r"CloudFormation's ROLE needs (.+?); for an account's first domain", DEPLOYS, re.DOTALL)
    usual, gradually, zone = re.split(r"; for gradual\s+deployments|; for `HostedZoneId`", listed)
    kinds = {it["Type"] for it in processed().body["Resources"].values()} - {"AWS::Route53::RecordSet"}
    in_copy = parse(gradual((ROOT / "template.yaml").read_text(), GRADUAL["prod"], "'2030-01-31T12:00:00Z'"))
    more = {it["Type"] for it in process(in_copy)["Resources"].values()} - {"AWS::Route53::RecordSet"}
    assert named(usual) == services(kinds) - UNUSED
    assert named(gradually) == services(more) - services(kinds) - UNUSED
    assert named(zone) == services({"AWS::Route53::RecordSet"})


def test_the_statement_for_a_key_is_one_and_for_the_roles_of_a_stack() -> None:
    statement = json.loads((ROOT / "docs" / "key-policy-statement.json").read_text())
    assert statement["Condition"]["ArnLike"]["aws:PrincipalArn"].endswith(f":role/{STACK_NAME}-*")


def named(text: str) -> set[str]:
    """The names of services in a text. Those with a slash are resources."""
    return set(re.findall(r"`(\w+)`", text))


def test_the_first_hour_has_fifteen_whole_steps() -> None:
    steps = [row.strip("| ").split(" | ") for row in HOUR.splitlines() if re.match(r"\| \d", row)]
    assert [int(step[0]) for step in steps] == list(range(1, 16))
    assert all(len(step) == 4 and all(step) for step in steps)


def test_the_first_hour_runs_each_step_of_its_program() -> None:
    [steps] = re.findall(r"^([a-z_| ]+)\) \"\$1\" ;;$", (ROOT / "examples" / "first_hour.sh").read_text(), re.MULTILINE)
    assert re.findall(r"`sh examples/first_hour\.sh (\w+)`", HOUR) == steps.split(" | ")
