"""Change a parameter of the deployed stack, as `sam deploy --parameter-overrides` does."""

from collections.abc import Iterator
from contextlib import contextmanager

from waitpoints_local.stack import Stack


def give(stack: Stack, parameter: str, value: str) -> None:
    """Update this parameter of the stack, and nothing else."""
    cloudformation, name = stack.client("cloudformation"), stack.stack_name
    [before] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    others = {one["ParameterKey"] for one in before["Parameters"]} - {parameter}
    cloudformation.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": parameter, "ParameterValue": value},
            *({"ParameterKey": other, "UsePreviousValue": True} for other in others),
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


@contextmanager
def given(stack: Stack, parameter: str, value: str) -> Iterator[None]:
    """Within this, the stack has this value of a parameter that is empty by default."""
    give(stack, parameter, value)
    try:
        yield
    finally:
        give(stack, parameter, "")
