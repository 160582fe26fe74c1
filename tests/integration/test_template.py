"""template.yaml: least privilege, and names that hold together."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.moto_stack import MotoStack
from local.template import ROOT, Template

TEMPLATE = Template.load()
FUNCTIONS = TEMPLATE.functions()
READY_MADE = {"LambdaInvokePolicy"}  # SAM's own policies that name one resource


def statements(stack: MotoStack) -> Iterator[tuple[str, list[str], list[str]]]:
    """Every statement of every role: whose it is, its actions and its resources."""

    def each(whose: str, policies: list[Any]) -> Iterator[tuple[str, list[str], list[str]]]:
        for policy in stack.resolve(policies):
            for statement in policy.get("Statement", policy.get("PolicyDocument", {}).get("Statement", [])):
                assert statement["Effect"] == "Allow"
                resources = statement["Resource"]
                yield whose, statement["Action"], [resources] if isinstance(resources, str) else resources
            assert "Statement" in policy or "PolicyDocument" in policy or set(policy) <= READY_MADE, policy

    for kind in ("AWS::Serverless::Function", "AWS::Serverless::StateMachine", "AWS::IAM::Role"):
        for logical_id, properties in TEMPLATE.resources(kind).items():
            yield from each(logical_id, properties.get("Policies", []))


def test_no_role_may_do_everything_of_a_service(stack: MotoStack) -> None:
    found = list(statements(stack))
    assert len(found) > len(FUNCTIONS)
    for whose, actions, _ in found:
        assert isinstance(actions, list), whose
        assert [action for action in actions if "*" in action] == [], whose


def test_a_role_reaches_beyond_one_resource_only_where_ids_are_made_later(stack: MotoStack) -> None:
    expected = {
        "s3": f"arn:aws:s3:::{stack.resources['OutputBucket']['Ref']}/*",
        "states": "arn:aws:states:us-east-1:123456789012:stateMachine:*",
        "scheduler": f"arn:aws:scheduler:us-east-1:123456789012:schedule/{stack.resources['TimerGroup']['Ref']}/*",
        "dynamodb": f"{stack.resources['Table']['Arn']}/index/*",
    }
    for whose, actions, resources in statements(stack):
        services = {action.split(":")[0] for action in actions}
        for resource in resources:
            assert resource.startswith("arn:"), whose
            assert "*" not in resource or {expected.get(service) for service in services} == {resource}, whose


def test_which_state_machines_may_be_resumed_is_the_owners_choice(stack: MotoStack) -> None:
    mine = "arn:aws:states:us-east-1:123456789012:stateMachine:mine-*"
    chosen = MotoStack(Template.load({"ResumableStateMachines": mine}), stack.resources)
    resuming = [resources for _, actions, resources in statements(chosen) if "states:SendTaskSuccess" in actions]
    assert resuming
    assert all(resources == [mine] for resources in resuming)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_its_handler(stack: MotoStack, name: str) -> None:
    assert callable(FUNCTIONS[name].handler())


def test_every_handler_has_its_function() -> None:
    assert {path.stem for path in (ROOT / "functions").glob("*.py")} == set(FUNCTIONS)


def test_the_api_may_invoke_every_function_that_it_leads_to_and_no_other() -> None:
    allowed = {
        permission["FunctionName"]["Ref"]
        for permission in TEMPLATE.resources("AWS::Lambda::Permission").values()
        if permission["Principal"] == "apigateway.amazonaws.com"
    }
    assert allowed == {function.logical_id for function in TEMPLATE.routes().values()}


def test_the_api_writes_no_path_into_its_log_since_a_callbacks_path_is_a_secret() -> None:
    [stage] = TEMPLATE.resources("AWS::ApiGatewayV2::Stage").values()
    logged = stage["AccessLogSettings"]["Format"]
    assert "$context.routeKey" in logged
    assert "$context.path" not in logged
    assert "$context.requestOverride" not in logged


def test_the_table_outlives_the_stack_and_can_be_restored() -> None:
    table = TEMPLATE.body["Resources"]["Table"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["Properties"]["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"


def test_a_deploy_asks_nothing() -> None:
    assert all("Default" in parameter for parameter in TEMPLATE.body["Parameters"].values())


def test_a_message_is_hidden_from_others_for_as_long_as_its_function_may_work_on_it() -> None:
    """AWS asks for six times the function's timeout."""
    function = FUNCTIONS["expire_tokens"].properties
    [queue] = [event["Properties"]["Queue"] for event in function["Events"].values() if event["Type"] == "SQS"]
    visibility = TEMPLATE.resources("AWS::SQS::Queue")[queue["Fn::GetAtt"][0]]["VisibilityTimeout"]
    assert visibility >= 6 * function.get("Timeout", TEMPLATE.body["Globals"]["Function"]["Timeout"])
