"""The parameters SubnetIds and SecurityGroupIds, and the functions' roles, which the template writes out because of them."""

import json
import re
from typing import Any

import pytest

from tests.support.in_process.template import EVERYTHING, ROOT, Template, parse
from tests.support.processed_template import (
    RELEASE,
    attributes,
    check_order,
    made,
    process,
    processed,
    processed_gradually,
    statements,
    texts,
)
from tests.support.resource_schemas import create_only
from tools.deploy import GRADUAL, gradual

NETWORK = {"SubnetIds": "subnet-0a1b,subnet-2c3d", "SecurityGroupIds": "sg-4e5f"}
KEY = {"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/0b5f4a7e"}
LIMITED = {"ResumableStateMachines": "arn:aws:states:us-east-1:123456789012:stateMachine:mine-*"}
POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"
WRITTEN_OUT = (ROOT / "template.yaml").read_text()


def of_sam(text: str, parameters: dict[str, str]) -> dict[str, Any]:
    """The roles of the functions as SAM makes them, from a template that writes none out and has no VPC."""
    body = json.loads(json.dumps(parse(text)))
    del body["Globals"]["Function"]["VpcConfig"]
    for name, resource in list(body["Resources"].items()):
        if resource["Type"] == "AWS::Serverless::Function":
            del resource["Properties"]["Role"], body["Resources"][f"{name}Role"]
    return process(body, parameters)["Resources"]


@pytest.mark.parametrize("text", [WRITTEN_OUT, gradual(WRITTEN_OUT, GRADUAL["prod"], RELEASE)], ids=["", "gradual"])
@pytest.mark.parametrize("parameters", [{}, {"Tracing": "Active"}], ids=["", "traced"])
def test_a_role_is_the_one_that_sam_would_make(parameters: dict[str, str], text: str) -> None:
    """But for a VPC: then SAM attaches a policy whether or not a condition holds. An upgrade changes no other role."""
    own, sams = process(parse(text), parameters)["Resources"], of_sam(text, parameters)
    template = Template(processed().body, {**EVERYTHING, **parameters})
    functions = [name for name in processed().resources("AWS::Lambda::Function") if f"{name}Role" in sams]
    assert len(functions) > 30
    assert own.keys() == sams.keys()
    for name in functions:
        roles = [template.resolve(it[f"{name}Role"], attributes()) for it in (own, sams)]
        assert roles[0] == roles[1], name
        assert own[name]["Properties"].pop("VpcConfig")["Fn::If"][0] == "HasNetwork"
        assert own[name] == sams[name]


@pytest.mark.parametrize(
    "others", [{}, EVERYTHING, KEY, {**EVERYTHING, **KEY, **LIMITED}], ids=["", "everything", "key", "all"]
)
def test_a_stack_with_subnets_differs_in_its_functions_and_their_roles(others: dict[str, str]) -> None:
    without, having = made(**others), made(**others, **NETWORK)
    assert not re.search(r"VpcConfig|ec2:|ENIManagement|VPCAccess", json.dumps(without))
    functions = {name for name, it in without.items() if it["Type"] == "AWS::Lambda::Function"}
    changed = {name for name, it in having.items() if without.get(name) != it}
    assert changed == functions | {f"{name}Role" for name in functions}
    for name in functions:
        config = having[name]["Properties"].pop("VpcConfig")
        assert config == {"SubnetIds": ["subnet-0a1b", "subnet-2c3d"], "SecurityGroupIds": ["sg-4e5f"]}
        having[f"{name}Role"]["Properties"]["ManagedPolicyArns"].remove(POLICY)
    assert having == without
    assert "VpcConfig" not in create_only("AWS::Lambda::Function")


def test_a_gradual_deployments_functions_are_in_the_vpc_too() -> None:
    """But that which tries them: it only calls Lambda and CodeDeploy, and exists only then."""
    template = Template(processed_gradually().body, NETWORK)
    check_order(template.body["Resources"])
    functions = template.resources("AWS::Lambda::Function")
    assert {name for name, it in functions.items() if "VpcConfig" not in it} == {"BeforeTraffic"}


SERVICES = {"dynamodb", "s3", "secretsmanager", "sqs", "states", "lambda", "events", "email"}


def test_the_page_names_an_endpoint_for_each_service_that_a_function_calls() -> None:
    """SES's is called email. AWS sends a function's log lines itself: lambda/latest/dg/monitoring-cloudwatchlogs.html."""
    given = statements({**EVERYTHING, "EventBusName": "orders"})
    called = {action.partition(":")[0] for _, statement in given for action in texts(statement["Action"])} - {"kms"}
    assert {"email" if it == "ses" else it for it in called} == SERVICES
    section = (ROOT / "docs" / "security.md").read_text().split("\n### In a VPC\n")[1].split("\n## ")[0]
    named = set(
        re.findall(r"`([a-z0-9]+)`", "".join(row.split("|")[1] for row in section.splitlines() if row.startswith("| `")))
    )
    assert named == SERVICES
