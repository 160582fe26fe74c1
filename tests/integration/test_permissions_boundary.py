"""The parameter PermissionsBoundary, in both templates that CloudFormation gets, and in the examples. Nothing is deployed."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import figures
from tests.support.in_process.template import ACCOUNT, EVERYTHING, ROOT, Template, parse, read
from tests.support.processed_template import RELEASE, made, process, processed, processed_gradually
from tools.deploy import GRADUAL, codedeploy_role, gradual

pytestmark = pytest.mark.slow  # transforms the template

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
EXPANDED = [processed, processed_gradually]
EXAMPLES = {path.parent.name: read(path) for path in (ROOT / "examples").glob("*/template.yaml")}
ROLES = {
    "durable_approval": {"ApprovalRole"},
    "events_to_audit": {"RuleRole", "DeliveryRole"},
    "events_to_queue": set[str](),
    "events_to_state_machine": {"HandleSettledTokenRole", "HandleSettledTokenSettledRole"},
}
"""The roles of each example."""


def boundaries(template: Template) -> dict[str, Any]:
    """What each role has for a boundary, if it has the property at all."""
    roles = template.resources("AWS::IAM::Role").items()
    found = {name: {key: it[key] for key in it.keys() & {"PermissionsBoundary"}} for name, it in roles}
    return {name: template.resolve(own, {}).get("PermissionsBoundary", "none") for name, own in found.items()}


@pytest.mark.parametrize("expanded", EXPANDED)
def test_every_role_has_the_boundary_if_there_is_one_and_else_no_role(expanded: Callable[[], Template]) -> None:
    body = expanded().body
    roles = {f"{name}Role" for name in expanded().resources("AWS::Lambda::Function")} | {"SchedulerRole", "WaitForWebhookRole"}
    roles |= {"CodeDeployServiceRole"} if expanded is processed_gradually else set()
    assert boundaries(Template(body, {"PermissionsBoundary": BOUNDARY})) == dict.fromkeys(roles, BOUNDARY)
    assert boundaries(Template(body)) == dict.fromkeys(roles, "none")
    figures.show(f"{len(roles)} roles have the permissions boundary")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_role_of_an_example_has_the_boundary_on_request(example: str) -> None:
    body, roles = process(EXAMPLES[example]), ROLES[example]
    assert boundaries(Template(body, {"PermissionsBoundary": BOUNDARY})) == dict.fromkeys(roles, BOUNDARY)
    assert boundaries(Template(body)) == dict.fromkeys(roles, "none")
    described = read(ROOT / "template.yaml")["Parameters"]["PermissionsBoundary"]
    assert EXAMPLES[example]["Parameters"].get("PermissionsBoundary") == (described if roles else None)


def test_a_stack_with_a_boundary_differs_in_nothing_else() -> None:
    having = made(PermissionsBoundary=BOUNDARY, **EVERYTHING)
    for resource in having.values():
        if resource["Type"] == "AWS::IAM::Role":
            del resource["Properties"]["PermissionsBoundary"]
    assert having == made(**EVERYTHING)


def test_codedeploys_role_is_the_one_that_sam_would_make_but_for_the_boundary() -> None:
    """By its name, too: an upgrade would replace another. SAM makes one if a `DeploymentPreference` has no `Role`."""
    ours = processed_gradually()
    text = gradual((ROOT / "template.yaml").read_text(), GRADUAL["prod"], RELEASE)
    text = text.replace(codedeploy_role(), "").replace(", Role: !GetAtt CodeDeployServiceRole.Arn", "")
    of_sam = Template(process(parse(text)))
    changed = {name for name, it in ours.body["Resources"].items() if of_sam.body["Resources"].get(name) != it}
    assert changed == {"CodeDeployServiceRole"}
    assert ours.body["Resources"].keys() == of_sam.body["Resources"].keys()
    assert (
        ours.resolve(ours.body["Resources"]["CodeDeployServiceRole"], {}) == of_sam.body["Resources"]["CodeDeployServiceRole"]
    )
