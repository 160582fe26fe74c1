"""An error of AWS is one sentence without botocore's own words, whichever operator's command meets it."""

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from waitpoints_client.ops import aws_errors
from waitpoints_client.ops.aws_errors import sentence

LOCAL = "http://127.0.0.1:1"


def refused(code: str, message: str = "It is.\n") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Scan")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refused("ValidationException"), "AWS refused Scan (ValidationException): It is"),
        (refused("AccessDeniedException", "no"), "These AWS credentials may not call Scan (AccessDeniedException): no"),
        (refused("ThrottlingException"), "AWS throttled Scan (ThrottlingException): try again in a minute"),
        (refused("ExpiredToken"), "The AWS credentials have expired (ExpiredToken): log in again, or set AWS_PROFILE"),
        (
            refused("InvalidClientTokenId"),
            "The AWS credentials are not accepted (InvalidClientTokenId): log in again, or set AWS_PROFILE",
        ),
        (ClientError({}, "Scan"), "AWS refused Scan ()"),
        (exceptions.NoCredentialsError(), aws_errors.NO_CREDENTIALS),
        (exceptions.ProfileNotFound(profile="p"), "No profile p in AWS's configuration: check AWS_PROFILE"),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://a", error="e"),
            "https://a did not answer: check the region and the network, and try again",
        ),
        (
            exceptions.ReadTimeoutError(endpoint_url="https://a"),
            "https://a did not answer: check the region and the network, and try again",
        ),
        (
            exceptions.InvalidRegionError(region_name="a b"),
            "AWS could not be called: Provided region_name 'a b' doesn't match a supported format",
        ),
        (RuntimeError("Doctor failed: KeyError: 'id'"), "Doctor failed: KeyError: 'id'"),
    ],
)
def test_says_what_happened_and_what_to_do(error: Exception, said: str) -> None:
    assert sentence(error) == said


def test_every_error_of_botocore_becomes_a_sentence() -> None:
    """Whatever its fields are: of each class that can be raised, without a field that it does not have."""
    found = [it for it in vars(exceptions).values() if isinstance(it, type) and issubclass(it, BotoCoreError)]
    made = []
    for kind in found:
        try:
            made.append(kind(**dict.fromkeys(("endpoint_url", "error", "profile", "report", "region_name"), "x")))
        except (KeyError, TypeError):  # it has other fields
            continue
    assert len(made) > 10
    assert all(sentence(one) and "\n" not in sentence(one) for one in made)


def test_a_value_that_aws_does_not_take_is_reported_in_one_line() -> None:
    client = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b", endpoint_url=LOCAL)
    with pytest.raises(exceptions.ParamValidationError) as raised:
        client.scan(TableName="t", Limit="many")
    assert sentence(raised.value).startswith("AWS accepts no such value: Invalid type for parameter Limit, value: many")
