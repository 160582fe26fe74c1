"""The SSM parameters with which other stacks' templates find a stack's names, and the examples that use them."""

from typing import Any

import pytest

from tests.support.in_process.template import ROOT, STACK_NAME, Template, read
from tests.support.processed_template import attributes, made, processed

PREFIX = f"/waitpoints/{STACK_NAME}/"
ALWAYS = {"WaitFunctionName", "CreateFunctionName", "CompleteFunctionName", "ApiUrl"}
OPTIONS = [{}, {"EventBusName": "orders"}, {"PublicBaseUrl": "https://hooks.example.com"}]
OF_SSM = "AWS::SSM::Parameter::Value<String>"


def published(**parameters: str) -> dict[str, Any]:
    """The SSM parameters of a stack with these parameters, by their last names."""
    found = [it["Properties"] for it in made(**parameters).values() if it["Type"] == "AWS::SSM::Parameter"]
    assert all(it["Name"].startswith(PREFIX) for it in found)
    return {it["Name"].removeprefix(PREFIX): it for it in found}


@pytest.mark.parametrize("parameters", OPTIONS)
def test_a_stack_publishes_what_other_stacks_need_and_no_more(parameters: dict[str, str]) -> None:
    """Nothing of a secret, not even its name."""
    assert published(**parameters).keys() == ALWAYS | (parameters.keys() & {"EventBusName"})


@pytest.mark.parametrize("parameters", OPTIONS)
def test_a_published_name_is_the_output_or_the_parameter_of_this_name(parameters: dict[str, str]) -> None:
    template = Template(processed().body, parameters)
    outputs = {name: it["Value"] for name, it in template.body["Outputs"].items()}
    for name, parameter in published(**parameters).items():
        value = outputs.get(name, {"Ref": name})
        assert parameter["Value"] == template.resolve(value, attributes())


def test_it_costs_nothing() -> None:
    """https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html, "Cost"."""
    assert {it["Tier"] for it in published(EventBusName="orders").values()} == {"Standard"}


EXAMPLES = {path.parent.name: read(path) for path in (ROOT / "examples").glob("*/template.yaml")}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_finds_each_name_of_the_stack_by_itself(example: str) -> None:
    parameters = EXAMPLES[example]["Parameters"]
    of_stack = published(EventBusName="orders").keys() & parameters.keys()
    assert of_stack
    assert {(parameters[name]["Type"], parameters[name]["Default"]) for name in of_stack} == {
        (OF_SSM, f"{PREFIX}{name}") for name in of_stack
    }
