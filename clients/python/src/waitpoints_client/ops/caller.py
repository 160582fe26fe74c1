"""Calls a deployed stack as its users do: over HTTPS, and with executions of the example state machine.

Keeps a list of the tokens and executions that it creates, so that it can clean them up.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import httpx

from waitpoints_client.ops import aws_errors
from waitpoints_client.ops import logs as stack_logs
from waitpoints_client.ops.deployed import PROBLEMS, Deployed

TOKENS = "/api/v1/waitpoints/tokens"
LONGEST_WAIT = "1h"  # if clean-up fails, the token times out and its execution ends
POLL_SECONDS = 0.1
API_PATIENCE = 30  # seconds: API Gateway's limit for a request
CLEAN_UP_SECONDS = 30
Found = TypeVar("Found")


class Unexpected(Exception):
    """The stack did not do what it must. The message says what it did instead."""


def expect(holds: bool, otherwise: str) -> None:
    """Raises Unexpected, which says what the stack did, unless this holds."""
    if not holds:
        raise Unexpected(otherwise)


class Skipped(Exception):
    """The check could not run, though nothing is wrong. The message says why."""


class Lacking(Skipped):
    """The check could not run, because the user's credentials lack a right. The message names it."""


@dataclass(frozen=True)
class Pace:
    """How long things may take, in seconds."""

    patience: float
    """One wait."""
    stream: float
    """The stream's first record. Lambda may begin to read a new stream minutes later:
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html"""
    total: float
    """All checks, until the last one begins. A check of a long timeout may take longer."""


LOCAL = Pace(patience=30, stream=30, total=120)
IN_AWS = Pace(patience=60, stream=180, total=480)


@dataclass(frozen=True)
class RawAnswer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)

    def json(self) -> Any:
        """Return the body's JSON value, or None if the body isn't JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def reason(self) -> str:
        """Return the status and the API's error message, or the start of the body."""
        body = self.json()
        said = (body.get("error") or body.get("message")) if isinstance(body, dict) else None
        return f"{self.status} {said or self.body[:100].decode(errors='replace')}".strip()


@dataclass
class Caller:
    stack: Deployed
    api_key: str
    pace: Pace = LOCAL
    started: float = field(default_factory=time.monotonic)
    tag: str = field(default_factory=lambda: f"smoke-{uuid.uuid4().hex[:12]}")
    """Also the name of everything that a check makes beside tokens."""
    tokens: list[str] = field(default_factory=list)
    executions: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What a check made and could not remove."""
    later: tuple[dict[str, Any], str] | None = None
    """The token whose long timeout a check has begun, and the execution that waits for it."""
    first: int = 0
    """Which of `tokens` is the first one of this round."""
    revoked: tuple[str, float] | None = None
    """A key, and when it was revoked, on the monotonic clock."""

    @classmethod
    def of(cls, stack: Deployed) -> "Caller":
        """Return a caller with the stack's root key and the pace of where it runs."""
        return cls(stack, stack.read_api_key(), LOCAL if stack.is_local else IN_AWS)

    def __post_init__(self) -> None:
        self.step_functions = self.stack.client("stepfunctions")
        self.http = httpx.Client(timeout=API_PATIENCE, follow_redirects=False)  # keeps its connections

    @property
    def deadline(self) -> float:
        """When every wait ends, on the monotonic clock."""
        return self.started + self.pace.total

    def begin_again(self) -> None:
        """Give the checks that have failed another round, no longer than a new stream needs."""
        self.started, self.pace, self.first = time.monotonic(), replace(self.pace, total=self.pace.stream), len(self.tokens)

    @cached_property
    def log_group(self) -> str:
        return stack_logs.find_log_group(self.stack)

    def request(self, method: str, url: str, body: bytes | None = None, *, key: str | None = None, **headers: str) -> RawAnswer:
        """Send a request to an API path or a full URL, with `key` if given. Follows no redirect. Raises Unexpected.

        A header is named with underscores, such as `content_type`.
        """
        given = {"user-agent": "waitpoints-smoke", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            given["authorization"] = f"Bearer {key}"
        url = url if url.startswith("http") else self.stack.outputs["ApiUrl"].rstrip("/") + url
        try:
            answer = self.http.request(method, url, content=body, headers=given)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            where = url.split("/api/v1")[0].split("?")[0]  # a callback URL is a secret
            raise Unexpected(f"{where} did not respond: {error or type(error).__name__}") from None
        return RawAnswer(answer.status_code, answer.content, answer.headers)

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Send a request with the API key, or another one, and return the response's JSON.

        Raises Unexpected unless the status is 200 and the body is JSON.
        """
        answer = self.request(method, path, None if body is None else json.dumps(body).encode(), key=key or self.api_key)
        found = answer.json()
        if answer.status != 200 or found is None:
            said = "answered without JSON:" if answer.status == 200 else "answered"
            raise Unexpected(f"{method} {path.split('?', maxsplit=1)[0]} {said} {answer.reason()}")
        return found

    def delete(self, path: str) -> None:
        """Raises Unexpected, unless it is gone."""
        answer = self.request("DELETE", path, key=self.api_key)
        expect(answer.status in (200, 404), f"DELETE answered {answer.reason()}")

    def create(self, **options: Any) -> dict[str, Any]:
        created: dict[str, Any] = self.call("POST", TOKENS, {"timeout": LONGEST_WAIT, "tags": [self.tag], **options})
        if created["id"] not in self.tokens:
            self.tokens.append(created["id"])
        return created

    def retrieve(self, token: dict[str, Any]) -> dict[str, Any]:
        retrieved: dict[str, Any] = self.call("GET", f"{TOKENS}/{token['id']}")
        return retrieved

    def post_callback(self, token: dict[str, Any], body: bytes, **headers: str) -> None:
        """Post to the callback URL without a key, as a webhook provider does. Raises Unexpected unless the status is 200."""
        answer = self.request("POST", token["url"], body, **headers)
        expect(answer.status == 200, f"the callback URL answered {answer.reason()}")

    def start_waiting(self, token: dict[str, Any]) -> str:
        """Start an execution that waits for the token. Returns its ARN."""
        given = json.dumps({"token": {"id": token["id"]}})
        started = self.step_functions.start_execution(stateMachineArn=self.stack.outputs["StateMachineArn"], input=given)
        self.executions.append(started["executionArn"])
        return self.executions[-1]

    def wait_until_registered(self, token: dict[str, Any]) -> None:
        self.wait_until(lambda: self.retrieve(token)["waiters"], "the execution did not register as a waiter")

    def wait_for_end(self, execution: str, seconds: float | None = None) -> dict[str, Any]:
        """Wait until an execution ends, `seconds` if given. Returns the response of DescribeExecution."""

        def check() -> dict[str, Any] | None:
            described: dict[str, Any] = self.step_functions.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        return self.wait_until(check, "the execution is still waiting", seconds)

    def wait_until(self, check: Callable[[], Found | None], otherwise: str, seconds: float | None = None) -> Found:
        """Call `check` until it returns something, and return that. Raises Unexpected if it does not in time.

        `seconds` may go beyond the caller's pace.
        """
        started = time.monotonic()
        until = min(started + self.pace.patience, self.deadline) if seconds is None else started + seconds
        while not (found := check()):
            if time.monotonic() > until:
                raise Unexpected(f"{otherwise} after {time.monotonic() - started:.0f} s")
            time.sleep(POLL_SECONDS)
        return found

    @contextmanager
    def removed_after(self, what: str, remove: Callable[[], Any]) -> Iterator[None]:
        """Remove afterwards what is made within this, however it ends. What cannot be removed is named at the end."""
        try:
            yield
        except Skipped:  # nothing was made
            raise
        except BaseException:
            self._remove(what, remove)
            raise
        else:
            self._remove(what, remove)

    def _remove(self, what: str, remove: Callable[[], Any]) -> None:
        try:
            remove()
        except (Unexpected, *PROBLEMS) as error:
            self.left.append(f"{what}: {aws_errors.sentence(error)}")

    def clean_up(self) -> str:
        """Stop executions that still run and complete tokens that still wait. Returns a one-line summary."""
        until = time.monotonic() + CLEAN_UP_SECONDS
        stopped = self._end_each(self.executions, self._stop, until)
        completed = self._end_each(self.tokens, self._complete, until)
        left = f"; NOT removed: {', '.join(self.left)}" if self.left else ""
        return f"{stopped} executions stopped, {completed} waiting tokens completed{left}"

    def _end_each(self, made: list[str], end: Callable[[str], bool], until: float) -> str:
        ended = failed = 0
        reason = ""
        for one in made:
            try:
                ended += time.monotonic() < until and end(one)
            except (Unexpected, *PROBLEMS) as error:
                failed += 1
                reason = aws_errors.sentence(error)
        return f"{ended} ({failed} could not be checked: {reason})" if failed else str(ended)

    def _stop(self, execution: str) -> bool:
        running: bool = self.step_functions.describe_execution(executionArn=execution)["status"] == "RUNNING"
        if running:
            self.step_functions.stop_execution(executionArn=execution, cause="The smoke test has ended")
        return running

    def _complete(self, token_id: str) -> bool:
        waiting: bool = self.retrieve({"id": token_id})["status"] == "WAITING"
        if waiting:
            error = {"message": "The smoke test has ended"}  # data would have to fit a page
            self.call("POST", f"{TOKENS}/{token_id}/complete", {"error": error})
        return waiting


@contextmanager
def permitted() -> Iterator[None]:
    """Within this, raise Lacking if AWS refuses a call because the user's own credentials lack a right."""
    try:
        yield
    except PROBLEMS as error:
        if not (right := aws_errors.missing_right(error)):
            raise
        raise Lacking(f"your credentials lack {right}") from None


def instant(text: str) -> float:
    """Return a time from the API in epoch seconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()  # Python 3.10 knows no Z
