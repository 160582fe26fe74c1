"""An error of AWS is one sentence without botocore's own words, whichever operator's command meets it."""

from collections.abc import Iterator

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from clients.python.tests.operator.test_operator_commands import OperatedStack

from waitpoints_client.operator import aws_errors, redrive, restore
from waitpoints_client.operator.aws_errors import sentence
from waitpoints_client.operator.deployed import Deployed, NotFound

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


def test_a_value_that_aws_does_not_take_is_told_in_one_line() -> None:
    client = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b", endpoint_url=LOCAL)
    with pytest.raises(exceptions.ParamValidationError) as raised:
        client.scan(TableName="t", Limit="many")
    assert sentence(raised.value).startswith("AWS accepts no such value: Invalid type for parameter Limit, value: many")


def test_a_dead_letter_that_aws_refuses_is_told_without_botocores_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise refused("AccessDenied", "no")

    stack, said, letters = OperatedStack(), list[str](), [[{"MessageId": "1", "Body": "{}"}], []]
    monkeypatch.setattr(OperatedStack, "receive_message", lambda *_, **__: {"Messages": letters.pop(0)})
    monkeypatch.setattr(redrive, "do_again", refuse)
    redrive.empty_the_queue(stack, said.append)  # type: ignore[arg-type]
    assert said == ["  failed again: These AWS credentials may not call Scan (AccessDenied): no"]


class TestTheTableToRestore:
    @pytest.fixture
    def tables(self) -> Iterator[Deployed]:
        from moto import mock_aws

        with mock_aws():
            deployed = Deployed("s", boto3.Session(region_name="eu-west-1"))
            key = [{"AttributeName": "other", "KeyType": "HASH"}]
            attributes = [{"AttributeName": "other", "AttributeType": "S"}]
            deployed.client("dynamodb").create_table(
                TableName="other", KeySchema=key, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
            )
            yield deployed

    def test_must_exist(self, tables: Deployed) -> None:
        with pytest.raises(NotFound, match=r"^No table NoTable in eu-west-1 of this account: check its name, and --region$"):
            restore.check(tables, "NoTable")
        with pytest.raises(NotFound, match=r"^No table other in us-east-2 of this account"):
            restore.check(tables, "other", "us-east-2")

    def test_must_be_of_a_stack(self, tables: Deployed) -> None:
        restore.check(tables, "other")  # it is empty
        tables.client("dynamodb").put_item(TableName="other", Item={"other": {"S": "1"}})
        with pytest.raises(NotFound, match=r"^The table other is of something else"):
            restore.check(tables, "other")
