"""The ways a request can be refused, as values of the domain.

Each says in one sentence what is wrong and what is accepted. `http` gives them their status; `wait_for_token` gives
them to Step Functions as the state's error, under the class's name.
"""


class WaitpointsError(Exception):
    """A refusal whose message is meant for the caller."""

    @property
    def message(self) -> str:
        return str(self)


class InvalidRequest(WaitpointsError):
    """The request is not of the documented shape."""


class InvalidTimeout(WaitpointsError):
    """A timeout or TTL that names no instant at which a token could time out."""


class TooManyTags(WaitpointsError):
    """More tags than a token can have."""


class BodyTooLarge(WaitpointsError):
    """The body is over the route's limit."""


class MethodNotAllowed(WaitpointsError):
    """The path exists, but not for this method."""

    def __init__(self, *allowed: str) -> None:
        super().__init__("Method not allowed")
        self.allowed = allowed


class Unauthenticated(WaitpointsError):
    """No credential, or one that is not ours."""


class Forbidden(WaitpointsError):
    """A valid credential without the scope for this token."""


class WrongCallbackHash(WaitpointsError):
    """The callback URL was not made by this stack."""

    def __init__(self) -> None:
        super().__init__("Invalid URL, hash doesn't match")


class TokenNotFound(WaitpointsError):
    """There is no such token (or retention has removed it)."""

    def __init__(self) -> None:
        super().__init__("Waitpoint not found")


class OutputNotFound(WaitpointsError):
    """There is no such output in the bucket (or retention has removed it)."""

    def __init__(self) -> None:
        super().__init__("Output not found: it is in no bucket of this stack, or retention has removed it")


class TooManyWaiters(WaitpointsError):
    """The token has as many waiters as it can hold."""


class TryAgain(WaitpointsError):
    """AWS throttled or failed; nothing was lost and the same request may be sent again."""


class CannotArm(Exception):
    """The account's quota of schedules is used up, and retrying won't fix that."""


class CannotResumeNow(Exception):
    """Step Functions throttled, failed or did not answer; the waiter may or may not have been resumed."""


class CannotResume(Exception):
    """Step Functions refused the request, and retrying won't fix that."""


class OutputRefused(CannotResume):
    """Step Functions does not accept this output for any waiter."""
