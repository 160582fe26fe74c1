"""AWS's own name of an error, for the log."""

from botocore.exceptions import ClientError


def error_code(error: BaseException) -> str | None:
    """Return the code that AWS answered with, such as `ThrottlingException`. None if it did not answer.

    Powertools wraps the error of a secret that could not be read.
    """
    for found in (error, error.__context__):
        if isinstance(found, ClientError):
            return str(found.response["Error"]["Code"])
    return None
