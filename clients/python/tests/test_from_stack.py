"""How the client finds a stack by its name, with boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from waitpoints_client import AsyncWaitpoints, ConfigurationError, Waitpoints

URL = "https://stack.example.com"


class Session:
    """boto3's, of an account with one stack."""

    def __init__(self, outputs: dict[str, str], failure: Exception | None = None) -> None:
        self._outputs, self._failure = outputs, failure

    def client(self, service: str) -> "Session":
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if self._failure:
            raise self._failure
        outputs = [{"OutputKey": name, "OutputValue": value} for name, value in self._outputs.items()]
        return {"Stacks": [{"StackName": StackName, "Outputs": outputs}]}

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        return {"SecretString": f"the key in {SecretId}"}


@pytest.mark.parametrize("client", [Waitpoints, AsyncWaitpoints])
def test_its_outputs_name_its_url_and_its_key(client: Any) -> None:
    found = client.from_stack("waitpoints", session=Session({"ApiUrl": URL, "ApiKeySecret": "arn"}))

    assert (found.url, found._session.api_key) == (URL, "the key in arn")


def test_another_stack_is_said_to_be_one() -> None:
    session: Any = Session({"Bucket": "b"})

    with pytest.raises(ConfigurationError, match="it is not a Waitpoints stack"):
        Waitpoints.from_stack("other", session=session)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            ClientError({"Error": {"Code": "ValidationError", "Message": "Stack with id w does not exist"}}, "x"),
            "Stack with id w",
        ),
        (NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_a_stack_that_cannot_be_read_is_said_to_be_one(failure: Exception, reason: str) -> None:
    session: Any = Session({}, failure)

    with pytest.raises(ConfigurationError, match=f"The stack w could not be read: {reason}"):
        Waitpoints.from_stack("w", session=session)
