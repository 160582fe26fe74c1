"""The roles for state machines and durable functions of one's own on the local stack."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from moto import mock_aws

from waitpoints_local.machine_role import (
    EVERYTHING,
    FUNCTIONS_NAME,
    NAME,
    POLICY,
    make_role,
    make_role_of_functions,
    trust,
)


@pytest.fixture
def iam() -> Iterator[Any]:
    with mock_aws():  # as a decorator it would leave another stack of the process with what is configured now
        yield boto3.client("iam", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.mark.parametrize(
    ("make", "name", "service", "allowed"),
    [(make_role, NAME, "states", POLICY), (make_role_of_functions, FUNCTIONS_NAME, "lambda", EVERYTHING)],
)
def test_a_service_may_assume_it_and_it_is_made_once(
    iam: Any, make: Callable[[Any], str], name: str, service: str, allowed: dict[str, Any]
) -> None:
    arn = make(iam)
    assert arn.endswith(f":role/{name}")
    assert make(iam) == arn

    role = iam.get_role(RoleName=name)["Role"]
    assert role["AssumeRolePolicyDocument"] == trust(service)
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    written = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    assert (unquote(written) if isinstance(written, str) else written) == allowed
