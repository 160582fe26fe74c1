"""AWS's own name of an error, and what it means."""

import pytest
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError, EndpointConnectionError

from waitpoints.aws.error_codes import classified, error_code, error_name
from waitpoints.errors import CannotPut, CannotPutNow, DetailRefused

DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "GetSecretValue")


def wrapped(cause: Exception) -> GetParameterError:
    """As Powertools raises it."""
    try:
        try:
            raise cause
        except Exception as error:
            raise GetParameterError(str(error)) from error
    except GetParameterError as error:
        return error


def test_is_the_code_of_an_answer_also_of_a_secret_that_could_not_be_read() -> None:
    assert error_code(DENIED) == error_code(wrapped(DENIED)) == "AccessDeniedException"


def test_is_none_if_aws_did_not_answer() -> None:
    unreachable = EndpointConnectionError(endpoint_url="https://secretsmanager.us-east-1.amazonaws.com")
    assert error_code(unreachable) is None
    assert error_code(wrapped(unreachable)) is None


def test_the_name_is_that_of_the_call_itself_even_in_the_handler_of_another_error() -> None:
    second = EndpointConnectionError(endpoint_url="https://events.us-east-1.amazonaws.com")
    second.__context__ = DENIED
    assert (error_name(DENIED), error_name(second)) == ("AccessDeniedException", "EndpointConnectionError")


@pytest.mark.parametrize(
    ("name", "kind"), [("Malformed", DetailRefused), ("AccessDenied", CannotPut), ("Throttling", CannotPutNow)]
)
def test_a_failure_is_of_the_first_kind_that_has_its_name(name: str, kind: type[Exception]) -> None:
    kinds: dict[type[Exception], set[str]] = {DetailRefused: {"Malformed"}, CannotPut: {"Malformed", "AccessDenied"}}
    failure = classified(name, kinds, CannotPutNow)
    assert (type(failure), str(failure)) == (kind, name)
