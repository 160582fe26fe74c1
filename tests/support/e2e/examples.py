"""The stacks in `examples/`, deployed beside the stack."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.e2e.permissions import outputs
from tools.stack import ROOT
from waitpoints_local.stack import Stack


@contextmanager
def deployed_example(stack: Stack, name: str, **parameters: str) -> Iterator[dict[str, str]]:
    """Deploy an example as it is. Yields its outputs."""
    cloudformation, stack_name = stack.client("cloudformation"), name.replace("_", "-")
    cloudformation.create_stack(
        StackName=stack_name,
        TemplateBody=(ROOT / "examples" / name / "template.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack_name, WaiterConfig={"Delay": 1})
    try:
        yield outputs(stack, stack_name)
    finally:
        cloudformation.delete_stack(StackName=stack_name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack_name, WaiterConfig={"Delay": 1})
