"""The exceptions of the client.

    WaitpointsError
    ├── ConfigurationError         no URL or key, or the stack cannot be found
    ├── APIConnectionError         no answer
    │   └── APITimeoutError        no answer in time
    ├── APIError                   an answer that refuses the request, with its status
    │   ├── BadRequestError            400
    │   ├── AuthenticationError        401
    │   ├── PermissionDeniedError      403
    │   ├── NotFoundError              404
    │   ├── ConflictError              409
    │   ├── UnprocessableEntityError   422
    │   ├── RateLimitError             429
    │   ├── ServerError                5xx
    │   └── InvalidAnswerError         an answer of something else than this API
    ├── WaitTimeoutError           `wait` gave up before the token settled
    └── TokenFailedError           `unwrap` of a token that was failed
        └── TokenTimedOutError     `unwrap` of a token that timed out

No message contains the API key or the hash of a callback URL. A value that cannot be sent, such as a negative duration, is a
ValueError, and one of another type a TypeError.
"""

from typing import Final

TIMEOUT_CODE: Final = "TRIGGER_WAITPOINT_TIMEOUT"
"""The `code` of the error of a token that timed out. Trigger.dev's SDK knows it by this text."""


class WaitpointsError(Exception):
    """Every exception of this package."""


class ConfigurationError(WaitpointsError):
    """The client does not know its stack's URL or key. The message says what to set."""


class APIConnectionError(WaitpointsError):
    """The API, or the host of a large output, could not be reached, also after the retries. `origin` is its scheme and host."""

    def __init__(self, message: str, origin: str = "") -> None:
        super().__init__(message)
        self.origin = origin


class APITimeoutError(APIConnectionError):
    """The API, or the host of a large output, did not answer in time, also after the retries."""


class APIError(WaitpointsError):
    """The API refused a request. `status` is HTTP's, `message` the API's own sentence, which may change.

    `code` never changes, such as "KeyTaken": docs/api.md lists them. None: API Gateway refused, or a stack of version 0.3.
    """

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(status, message, code)
        self.status = status
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"


class BadRequestError(APIError):
    """400: the request does not have the documented shape."""


class AuthenticationError(APIError):
    """401: no key, or one that the stack does not accept."""


class PermissionDeniedError(APIError):
    """403: a public access token without the scope for this token."""


class NotFoundError(APIError):
    """404: the token, the output or the endpoint does not exist, or retention has removed it."""


class ConflictError(APIError):
    """409: the token has ended, has as many waiters as it can have, or holds the key of a create with another page."""


class UnprocessableEntityError(APIError):
    """422: a value that cannot be used, such as a timeout in the past."""


class RateLimitError(APIError):
    """429: too many requests, also after the retries."""


class ServerError(APIError):
    """5xx: the API failed, also after the retries. Nothing was lost: make the same call again."""


class InvalidAnswerError(APIError):
    """The answer is not one of this API. The URL may be that of something else."""


class WaitTimeoutError(WaitpointsError, TimeoutError):
    """The token still waits at the end of the `timeout` of `wait`."""


class TokenFailedError(WaitpointsError):
    """The token was failed. `name` and `code` are those of the error that it was failed with."""

    def __init__(self, message: str, name: str, code: str) -> None:
        super().__init__(message, name, code)
        self.message = message
        self.name = name
        self.code = code

    def __str__(self) -> str:
        return self.message


class TokenTimedOutError(TokenFailedError):
    """The token reached its timeout."""


_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def error_class(status: int) -> type[APIError]:
    """Return the exception for an HTTP status."""
    return ServerError if status >= 500 else _BY_STATUS.get(status, APIError)
