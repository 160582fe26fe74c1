"""What an error of AWS, or of boto3, says in one sentence: what happened, and what to do about it."""

import re

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

NO_CREDENTIALS = "No AWS credentials: set AWS_PROFILE, or log in with `aws configure` or `aws sso login`"
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "ProvisionedThroughputExceededException"}
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: ([a-z0-9-]+:\w+)")
UNANSWERED = (
    exceptions.EndpointConnectionError,
    exceptions.ConnectionClosedError,
    exceptions.ConnectTimeoutError,
    exceptions.ReadTimeoutError,
)


def sentence(error: Exception) -> str:
    """Return the sentence about any error; another than AWS's or boto3's says it itself."""
    match error:
        case ClientError():
            return _refusal(error)
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return NO_CREDENTIALS
        case exceptions.ProfileNotFound():
            return f"No profile {error.kwargs['profile']} in AWS's configuration: check AWS_PROFILE"
        case exceptions.ParamValidationError():
            return f"AWS accepts no such value: {_one_line(str(error.kwargs['report']))}"
        case BotoCoreError() if isinstance(error, UNANSWERED):
            return f"{error.kwargs['endpoint_url']} did not answer: check the region and the network, and try again"
        case BotoCoreError():
            return f"AWS could not be called: {_one_line(str(error))}"
    return str(error)


def missing_right(error: Exception) -> str:
    """Return what the credentials lack, such as `states:StartExecution`, if AWS refused a call for that; else "".

    Some services name no action in their message. Then it is the name of the call.
    """
    if not isinstance(error, ClientError) or error.response.get("Error", {}).get("Code") not in _DENIED:
        return ""
    found = _NOT_AUTHORIZED.search(error.response["Error"].get("Message", ""))
    return found[1] if found else error.operation_name


def _refusal(error: ClientError) -> str:
    said = error.response.get("Error", {})
    code, message = said.get("Code", ""), said.get("Message", "")
    call, why = error.operation_name, f": {_one_line(message)}" if message else ""
    if code in _EXPIRED | _UNKNOWN:
        which = "have expired" if code in _EXPIRED else "are not accepted"
        return f"The AWS credentials {which} ({code}): log in again, or set AWS_PROFILE"
    if code in _DENIED:
        return f"These AWS credentials may not call {call} ({code}){why}"
    if code in _THROTTLED:
        return f"AWS throttled {call} ({code}): try again in a minute"
    return f"AWS refused {call} ({code}){why}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
