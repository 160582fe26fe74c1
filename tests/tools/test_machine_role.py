"""The role for state machines of one's own on the local stack."""

from urllib.parse import unquote

import boto3
from moto import mock_aws

from waitpoints_local.machine_role import NAME, POLICY, TRUST, make_role


@mock_aws
def test_step_functions_may_assume_it_to_invoke_functions_and_it_is_made_once() -> None:
    iam = boto3.client("iam", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    arn = make_role(iam)
    assert arn.endswith(f":role/{NAME}")
    assert make_role(iam) == arn

    role = iam.get_role(RoleName=NAME)["Role"]
    assert role["AssumeRolePolicyDocument"] == TRUST
    [policy] = iam.list_role_policies(RoleName=NAME)["PolicyNames"]
    written = iam.get_role_policy(RoleName=NAME, PolicyName=policy)["PolicyDocument"]
    assert (unquote(written) if isinstance(written, str) else written) == POLICY
