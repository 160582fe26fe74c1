"""AWS's own name of an error, for the log."""

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError, EndpointConnectionError

from waitpoints.aws.error_code import error_code

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
