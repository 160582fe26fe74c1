"""What is done with the API's operations: retries, large outputs, waiting. Nothing here sends or sleeps.

A flow yields each request and each pause, and is sent the answer, so that the sync and the async client share it. The rules
for retries are those of Trigger.dev's SDK.
"""

import math
import re
import time
import uuid
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from waitpoints_client import calls
from waitpoints_client.calls import ABSENT, Call, Read
from waitpoints_client.clock import Clock, Pause
from waitpoints_client.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    InvalidAnswerError,
    WaitTimeoutError,
    error_class,
)
from waitpoints_client.models import Result, Token
from waitpoints_client.options import TokenOrId, id_of
from waitpoints_client.wire import write_json

ATTEMPTS: Final = 5
FIRST_DELAY, DELAY_FACTOR, LONGEST_DELAY = 1.0, 1.6, 30.0  # seconds
FIRST_PAUSE, PAUSE_FACTOR, LONGEST_PAUSE = 0.5, 1.6, 10.0  # seconds between two reads of a token
_RETRIED: Final = {408, 409, 429}
_SECRET: Final = re.compile(r"(/callback/|/endpoints/[a-z0-9-]+/)[0-9a-fA-F]{64,}")


@dataclass(frozen=True, repr=False)
class Request:
    """Send this request."""

    method: str
    url: str
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    content: bytes | None = None

    @property
    def host(self) -> str:
        """The host, which can be named in a message. The rest of the URL can be a secret."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def origin(self) -> str:
        return f"{urlsplit(self.url).scheme}://{self.host}"


Step: TypeAlias = Request | Pause
Heard: TypeAlias = httpx.Response | APIConnectionError | None
"""The result of a step: the response to a request, or the error without one; None after a pause."""
Flow: TypeAlias = Generator[Step, Heard, Read]


@dataclass(frozen=True, repr=False)
class Session:
    """How requests to one stack are made."""

    url: str
    api_key: str
    user_agent: str
    clock: Clock = field(default_factory=Clock)

    @property
    def has_named_key(self) -> bool:
        """Whether the API key is a named key, by its form."""
        return self.api_key.startswith("tr_prod_sk_")

    def send(self, call: Call[Read]) -> Flow[Read]:
        """Send a call, again if that can help. Raises APIError or APIConnectionError.

        All attempts carry the same key, by which the API knows that they are one call.
        """
        request = self._request(call, str(uuid.uuid4()))
        answer = yield from self._ask(request)
        try:
            return call.read(answer)
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            message = f"{request.host} did not answer as the Waitpoints API does: check the URL"
            raise InvalidAnswerError(answer.status_code, message) from None

    def get(self, token: TokenOrId) -> Flow[Token]:
        """Retrieve a token, and its output from where it is."""
        found = yield from self.send(calls.get(token))
        if found.output_type != "application/store" or found.output_text is None:
            return found
        link = yield from self.send(calls.packet(found.output_text))
        # The host of the link is not the API's: it gets no key.
        download = yield from self._ask(Request("GET", link))
        return found.model_copy(update={"output_text": download.content.decode(), "output_type": "application/json"})

    def wait(self, token: TokenOrId, poll: float | timedelta | None, timeout: float | timedelta | None) -> Flow[Result]:
        """Read a token until it has ended. Raises WaitTimeoutError."""
        pause = FIRST_PAUSE if poll is None else _seconds("poll", poll)
        until = math.inf if timeout is None else self.clock.monotonic() + _seconds("timeout", timeout)
        while (result := (yield from self.get(token)).result) is None:
            left = until - self.clock.monotonic()
            if left <= 0:
                raise WaitTimeoutError(f"{id_of(token)} still waits")
            yield Pause(min(pause, left), longest=left)
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE) if poll is None else pause
        return result

    def _request(self, call: Call[Any], key: str) -> Request:
        headers = {"accept": "application/json", "user-agent": self.user_agent}
        is_ours = call.path.startswith("/")
        if is_ours:
            headers |= {"authorization": f"Bearer {self.api_key}", "x-trigger-request-idempotency-key": key}
        if call.delivery_id is not None:
            headers["idempotency-key"] = call.delivery_id
        content = None
        if call.body is not ABSENT:
            content = call.body if isinstance(call.body, bytes) else write_json(call.body, allow_nan=False).encode()
            headers["content-type"] = "application/json"
        headers |= call.headers
        return Request(call.method, self.url + call.path if is_ours else call.path, call.query or None, headers, content)

    def _ask(self, request: Request) -> Flow[httpx.Response]:
        """Return the first answer that is a success. Raises what the last attempt came to, or the first that is final."""
        attempt = 1
        while True:
            answer = yield request
            assert answer is not None, "only a pause has no answer"
            if isinstance(answer, httpx.Response) and answer.is_success:
                return answer
            if attempt == ATTEMPTS or not _can_help(answer):
                raise answer if isinstance(answer, APIConnectionError) else self._refusal(answer)
            yield Pause(_delay(attempt, answer))
            attempt += 1

    def _refusal(self, answer: httpx.Response) -> APIError:
        """Make an exception of a refusal: with the API's own sentence, and without what is secret."""
        try:
            said = answer.json()
            message, code = said.get("error") or said.get("message"), said.get("code")
        except (ValueError, AttributeError):
            message = code = None
        if not isinstance(message, str):
            message = answer.reason_phrase or "no reason"
        if answer.has_redirect_location:
            message += ": a redirect is not followed. Check the URL, also whether it begins with https://"
        message = _SECRET.sub(r"\1…", message.replace(self.api_key, "…"))
        return error_class(answer.status_code)(answer.status_code, message, code if isinstance(code, str) else None)


def unanswered(request: Request, error: httpx.RequestError) -> APIConnectionError:
    """Make an exception of a request without an answer."""
    if isinstance(error, httpx.TimeoutException):
        return APITimeoutError(f"{request.host} did not answer in time", request.origin)
    return APIConnectionError(f"{request.host} did not answer: {error or type(error).__name__}", request.origin)


def _can_help(answer: httpx.Response | APIConnectionError) -> bool:
    """Whether the same request can succeed later. The header wins over the status."""
    if isinstance(answer, APIConnectionError):
        return True
    said = answer.headers.get("x-should-retry")
    if said in ("true", "false"):
        return bool(said == "true")
    return answer.status_code in _RETRIED or answer.status_code >= 500


def _delay(attempt: int, answer: httpx.Response | APIConnectionError) -> float:
    """Return for how many seconds to pause after this attempt: longer each time, and as long as the answer asks for."""
    delay: float = min(FIRST_DELAY * DELAY_FACTOR ** (attempt - 1), LONGEST_DELAY)
    if isinstance(answer, APIConnectionError):
        return delay
    return min(max(delay, _read_delay(answer.headers)), LONGEST_DELAY)


def _read_delay(headers: httpx.Headers) -> float:
    """Return the seconds that `retry-after` or, in epoch milliseconds, `x-ratelimit-reset` asks to wait; else 0."""
    try:
        if "retry-after" in headers:
            return float(headers["retry-after"])
        return float(headers["x-ratelimit-reset"]) / 1000 - time.time()
    except (KeyError, ValueError):
        return 0.0


def _seconds(name: str, value: float | timedelta) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not seconds >= 0:  # NaN is not, either
        raise ValueError(f"{name} must be zero or more seconds: {value}")
    return seconds
