"""The exceptions of Waitpoints.

The message of a WaitpointsError says in one sentence what is wrong and what is accepted. `api.http` answers it with its
status, code and headers. `state_task` reports it as the error of the state or callback that waits, named after its class.
The other exceptions say what AWS or a channel did not do. Their messages are for an operator.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

MOST_ATTEMPTS = 25  # more than a page has approvers, who may all answer at once


class WaitpointsError(Exception):
    """A rejected request. The message is for the caller: `sentence`, unless the error is made with another one.

    `final`: clients must not repeat the request, as they do after other answers with 409. `code` is the class's name, which
    callers compare: to rename a class breaks them. `members` are the answer's beside the message and the code; they may have
    a code of Trigger.dev's. `retry_after` is in seconds. `on_purpose`: a 5xx that is no failure of the stack.
    """

    status = 422
    sentence = ""
    final = False
    on_purpose = False
    retry_after = "1"
    code: ClassVar[str]
    members: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        cls.code = cls.members.get("code", cls.__name__)

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.sentence)

    @property
    def message(self) -> str:
        return str(self)

    @property
    def headers(self) -> dict[str, str]:
        if self.final:
            return {"x-should-retry": "false"}
        return {"retry-after": self.retry_after} if self.status == 503 else {}


class InvalidRequest(WaitpointsError):
    """The request does not have the documented shape."""

    status = 400


class MethodNotAllowed(WaitpointsError):
    """The path exists, but not for this method."""

    status, sentence = 405, "Method not allowed"

    def __init__(self, *allowed: str) -> None:
        super().__init__()
        self._allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        return {"allow": ", ".join(self._allowed)}


class BodyTooLarge(WaitpointsError):
    """The body is over the route's limit."""

    status = 413


class Unauthenticated(WaitpointsError):
    """The credential is missing or invalid."""

    status = 401


class WrongCallbackHash(WaitpointsError):
    """The URL was not made by this stack, or its endpoint was deleted."""

    status, sentence = 401, "Invalid URL, hash doesn't match"


class WrongSignature(WaitpointsError):
    """A delivery whose signature is missing, malformed, of another time, or wrong.

    `reason` is one of a few words, for logs and metrics; the message adds which header. Neither has a part of the
    secret or of what was sent.
    """

    status = 401

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"Invalid signature: {detail}")
        self.reason = reason


class Forbidden(WaitpointsError):
    """A valid credential without the scope for this token or endpoint."""

    status = 403
    members: ClassVar = {"code": "unauthorized", "param": "access_token", "type": "authorization"}


class OutsideTag(Forbidden):
    """A named key whose scope is limited to a tag, for a token or an endpoint without that tag."""

    def __init__(self, action: str, tag: str) -> None:
        what = "endpoint" if action == "deliveries" else "waitpoint"
        super().__init__(f"This key lacks the scope {action} for this {what}: it has {action}:{tag}")


class NameOutsideTag(Forbidden):
    """A named key whose scope is limited to a tag, for a name that is neither the tag nor begins with it and a colon."""

    def __init__(self, action: str, tag: str, field: str) -> None:
        super().__init__(
            f"This key lacks the scope {action} for this value of {field}: it has {action}:{tag}, "
            f'which accepts "{tag}" and what begins with "{tag}:"'
        )


class NotAsked(WaitpointsError):
    """An answer to a page, or a look at it, by somebody who may not answer it, or not yet, or by a URL that takes none."""

    status = 403


class SignInRefused(WaitpointsError):
    """A sign-in that leads to no session.

    `reason` is one of a few words, for logs and the page, by which whoever is asked for help finds the line.
    """

    status, sentence = 403, "The sign-in failed"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class IssuerFails(SignInRefused):
    """The issuer does not answer in time, or not as OpenID Connect says."""

    status, sentence, on_purpose = 503, "The identity provider does not answer as it should", True


class SignInPaused(SignInRefused):
    """The issuer has refused so many sign-ins for one page that it is not called for a while. The code can come again."""

    status, sentence, retry_after = 503, "The identity provider refused too many sign-ins for this page", "10"
    on_purpose = True


class SignInsBusy(SignInPaused):
    """As many people as the stack lets sign in within a second without a token's page. The code can come again."""

    sentence, retry_after = "Too many people are signing in: try again in a second", "1"


class TokenNotFound(WaitpointsError):
    """The token does not exist, or it was removed after its retention."""

    status, sentence = 404, "Waitpoint not found"


class EndpointNotFound(WaitpointsError):
    """No endpoint has this name."""

    status, sentence = 404, "Endpoint not found"


class DeliveryNotFound(WaitpointsError):
    """The endpoint has no recorded delivery with this id, or it was deleted or has expired."""

    status, sentence = 404, "Delivery not found"


class ApiKeyNotFound(WaitpointsError):
    """No named key has this name."""

    status, sentence = 404, "Key not found"


class OutputNotFound(WaitpointsError):
    """The output is not in the bucket, or it was removed after its retention."""

    status, sentence = 404, "Output not found: the path is wrong, or the output was deleted after its retention"


class TooManyWaiters(WaitpointsError):
    """The token has as many waiters as it can hold."""

    status = 409


class KeyTaken(WaitpointsError):
    """A token holds the key of a page with a sign-in, and that token's page is another one."""

    status, final = 409, True
    sentence = "Another waitpoint holds this key. With signIn, send the page of that waitpoint unchanged, or another key"


class TokenHasEnded(WaitpointsError):
    """The token has been completed, or has timed out, so it has no deadline and no approvers any more."""

    status, sentence, final = 409, "The waitpoint has ended, so its timeout can no longer be changed", True


class StillWaits(WaitpointsError):
    """The token waits, so it cannot be deleted."""

    status, final = 409, True
    sentence = "The waitpoint waits. Complete it first, or delete it with force=true, which fails the runs that wait for it"


class NotAllResumed(WaitpointsError):
    """A run that waited for the token has not been resumed yet, so the token cannot be deleted."""

    status, final = 409, True
    sentence = "Not every run of this waitpoint has been resumed yet. Delete it later, or with force=true, which resumes them"


class HasAnswered(WaitpointsError):
    """An approver who is to be removed has answered."""

    status, final = 409, True


class ApiKeyNameTaken(WaitpointsError):
    """A named key with this name has neither expired nor been revoked."""

    status, sentence, final = 409, "A key has this name: revoke it first, or choose another name", True


class TooManyApiKeys(WaitpointsError):
    """The stack has as many named keys as it can hold, and none of them has expired."""

    status, sentence, final = 409, "The stack has as many keys as it can hold: revoke one first", True


class InvalidTimeout(WaitpointsError):
    """A timeout or TTL that is invalid, not in the future, or over the limit."""


class TooManyTags(WaitpointsError):
    """More tags than a token can have."""


class InvalidVerification(WaitpointsError):
    """A `verify` whose scheme or secret cannot check deliveries."""


class InvalidCompleteWhen(WaitpointsError):
    """A completeWhen expression that cannot be read, or uses what is not accepted."""


class InvalidPayloadSchema(WaitpointsError):
    """A payloadSchema that is not a JSON Schema, or cannot be checked in bounded time."""


class InvalidMember(WaitpointsError):
    """A part of a `page` or a `notify` that is wrong. The message has its path."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"Invalid {path}: {reason}")


class InvalidPage(InvalidMember):
    """A `page` that cannot be drawn."""


class InvalidNotify(InvalidMember):
    """A `notify` that reaches no one, or not everyone."""


class InvalidEndpoint(WaitpointsError):
    """A name, an expression or a keyTTL that no endpoint can have."""


class InvalidApiKey(WaitpointsError):
    """A name, a scope or an expiresIn that no named key can have."""


class PayloadRefused(WaitpointsError):
    """The body does not match the token's payloadSchema, or is not an answer to its page."""


class ResendRefused(WaitpointsError):
    """A delivery is to be sent again to a token with `verify` or a page, or to another one than its idempotency key has."""

    sentence = "A waitpoint with verify or a page cannot be completed by a delivery that is sent again"


class UnusableSecret(WaitpointsError):
    """No version of the secret is of the form that the scheme needs; its owner has to mend it."""

    status, sentence = 503, "The secret that verifies this token's deliveries cannot be used"


class TryAgain(WaitpointsError):
    """AWS throttled or failed. Nothing was lost; the caller can send the same request again."""

    status = 503


class InternalServerError(WaitpointsError):
    """An unexpected failure, which is a bug in Waitpoints."""

    status, sentence = 500, "Internal Server Error"


class EndpointDisabled(WaitpointsError):
    """A delivery to an endpoint that is disabled. Providers try again, and many give up a URL after another status."""

    status, sentence, retry_after = 503, "This endpoint is disabled. Send the delivery again later", "60"
    on_purpose = True


class WrittenLater(WaitpointsError):
    """A later version of the stack wrote what waits, and only that version may settle it."""

    status, sentence = 503, "A later version of this stack made the waitpoint. Send the same request again"


def attempts(reason: str) -> Iterator[int]:
    """Number the attempts at a write that holds only if nothing has changed since a read. Raises TryAgain after the last."""
    yield from range(MOST_ATTEMPTS)
    raise TryAgain(reason)


class TimersNotStarted(Exception):
    """AWS did not do all that it was asked for. The next run starts these timers."""


class NotMovedYet(Exception):
    """A message names an instant that its token does not have yet. It comes again."""


class CannotResumeNow(Exception):
    """AWS throttled, failed or did not respond. The waiter may or may not have been resumed."""


class CannotResume(Exception):
    """AWS rejected the request. Retrying won't fix it."""


class OutputRefused(CannotResume):
    """AWS does not accept this output for this kind of waiter."""


class CannotPutNow(Exception):
    """EventBridge throttled, failed or did not respond. The event may or may not be on the bus."""


class CannotPut(Exception):
    """EventBridge rejected the event. Retrying won't fix it."""


class DetailRefused(CannotPut):
    """EventBridge does not accept the content of this event."""


class NotSentNow(Exception):
    """A notice may or may not have been sent: its channel throttled, failed or did not respond, or another function sends.

    `after` is in how many seconds to try again. None: no one says.
    """

    def __init__(self, reason: str, after: int | None = None) -> None:
        super().__init__(reason)
        self.after = after


class NotSent(Exception):
    """A channel refuses a notice. Retrying won't fix it. The message is the channel's own code, without what was sent."""
