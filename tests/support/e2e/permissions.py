"""What a stack has deployed, and functions without a permission for a while: the emulator enforces IAM as AWS does."""

from collections.abc import Iterator
from contextlib import contextmanager

from waitpoints_local.stack import Stack


def physical_name(stack: Stack, logical_id: str) -> str:
    described = stack.client("cloudformation").describe_stack_resource(StackName=stack.stack_name, LogicalResourceId=logical_id)
    return str(described["StackResourceDetail"]["PhysicalResourceId"])


def outputs(stack: Stack, name: str = "") -> dict[str, str]:
    """The outputs of the stack, or of another one of this name."""
    [described] = stack.client("cloudformation").describe_stacks(StackName=name or stack.stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


@contextmanager
def denied(stack: Stack, action_prefix: str, *functions: str) -> Iterator[None]:
    """Within this, the roles of these functions (logical ids) lack every action that begins with `action_prefix`."""
    iam, functions_client = stack.client("iam"), stack.client("lambda")
    deny = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "' + action_prefix + '*", "Resource": "*"}]}'
    policy, roles = f"without-{action_prefix.replace(':', '.')}", []
    for function in functions:
        configuration = functions_client.get_function_configuration(FunctionName=physical_name(stack, function))
        roles.append(configuration["Role"].rpartition("/")[2])
    try:
        for role in roles:
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=deny)
        yield
    finally:
        for role in roles:
            iam.delete_role_policy(RoleName=role, PolicyName=policy)
