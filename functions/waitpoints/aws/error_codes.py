"""AWS's own name of an error, for the log, and what it means for the one who called."""

from collections.abc import Collection, Mapping

from botocore.exceptions import ClientError


def error_code(error: BaseException) -> str | None:
    """Return the code that AWS answered with, such as `ThrottlingException`. None if it did not answer.

    Powertools wraps the error of a secret that could not be read.
    """
    for found in (error, error.__context__):
        if isinstance(found, ClientError):
            return error_name(found)
    return None


def error_name(error: BaseException) -> str:
    """Return the code that AWS answered a call with, or the kind of error if it did not answer, such as `ReadTimeoutError`."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def classified[Failure: Exception](
    name: str, kinds: Mapping[type[Failure], Collection[str]], otherwise: type[Failure]
) -> Failure:
    """Return the failure, of the first of `kinds` that has its name. Its message is the name."""
    kind = next((kind for kind, names in kinds.items() if name in names), otherwise)
    return kind(name)
