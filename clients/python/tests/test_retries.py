"""When a request is sent again, and after how long: Trigger.dev's SDK's rules."""

import time
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest

from waitpoints_client import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InvalidAnswerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnprocessableEntityError,
    Waitpoints,
)

CREATED = {"id": "waitpoint_1", "url": "https://stack.example.com/1", "isCached": False}
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client slept, without sleeping."""
    slept: list[float] = []
    monkeypatch.setattr("waitpoints_client.clock.time.sleep", slept.append)
    return slept


class ScriptedStack:
    """Gives each answer in turn, and then the last one again. A callable is asked for its answer."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.client = Waitpoints("https://stack.example.com", "the-key", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return cast("httpx.Response", answer(request) if callable(answer) else answer)


def refusal(status: int, **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, json={"error": "no"}, headers=names)


def broken(error: type[httpx.RequestError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    return answer


def created(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=CREATED)


@pytest.mark.parametrize("first", [refusal(it) for it in (408, 409, 429, 500, 502, 503, 504)] + [broken(httpx.ConnectError)])
def test_what_can_succeed_later_is_sent_again_as_the_same_request(first: Answer, pauses: list[float]) -> None:
    stack = ScriptedStack(first, created)

    assert stack.client.create(tags="a").id == "waitpoint_1"
    one, two = stack.requests
    assert one.headers["x-trigger-request-idempotency-key"] == two.headers["x-trigger-request-idempotency-key"]
    assert (one.url, one.content) == (two.url, two.content)
    assert pauses == [1.0]


def test_each_call_has_a_request_key_of_its_own() -> None:
    stack = ScriptedStack(created)
    stack.client.create()
    stack.client.create()

    one, two = stack.requests
    assert one.headers["x-trigger-request-idempotency-key"] != two.headers["x-trigger-request-idempotency-key"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, APIError),
        (413, APIError),
        (422, UnprocessableEntityError),
        (301, APIError),
    ],
)
def test_what_no_retry_helps_is_raised_at_once(status: int, error: type[APIError], pauses: list[float]) -> None:
    stack = ScriptedStack(refusal(status))

    with pytest.raises(error, match=f"{status}: no") as raised:
        stack.client.create()
    assert type(raised.value) is error
    assert (raised.value.status, raised.value.message, len(stack.requests), pauses) == (status, "no", 1, [])


@pytest.mark.parametrize(
    ("status", "error"), [(409, ConflictError), (429, RateLimitError), (500, ServerError), (503, ServerError)]
)
def test_the_fifth_attempt_is_the_last(status: int, error: type[APIError], pauses: list[float]) -> None:
    stack = ScriptedStack(refusal(status))

    with pytest.raises(error):
        stack.client.create()
    assert len(stack.requests) == 5
    assert pauses == pytest.approx([1.0, 1.6, 2.56, 4.096])


@pytest.mark.parametrize(
    ("broken_by", "error"), [(httpx.ConnectError, APIConnectionError), (httpx.ReadTimeout, APITimeoutError)]
)
def test_no_answer_is_a_connection_error(
    broken_by: type[httpx.RequestError], error: type[Exception], pauses: list[float]
) -> None:
    stack = ScriptedStack(broken(broken_by))

    with pytest.raises(error, match=r"stack\.example\.com did not answer") as raised:
        stack.client.create()
    assert type(raised.value) is error
    assert len(stack.requests) == 5


def test_the_stack_can_ask_for_a_retry_or_forbid_it(pauses: list[float]) -> None:
    forbidden = ScriptedStack(refusal(500, x_should_retry="false"))
    with pytest.raises(ServerError):
        forbidden.client.create()
    assert len(forbidden.requests) == 1

    assert ScriptedStack(refusal(400, x_should_retry="true"), created).client.create().id == "waitpoint_1"


@pytest.mark.parametrize(
    ("headers", "pause"), [({"retry_after": "7"}, 7), ({"retry_after": "0"}, 1), ({"retry_after": "999"}, 30)]
)
def test_a_pause_is_as_long_as_the_stack_asks_for(headers: dict[str, str], pause: float, pauses: list[float]) -> None:
    ScriptedStack(refusal(429, **headers), created).client.create()

    assert pauses == [pause]


def test_a_pause_ends_when_the_rate_limit_does(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    ScriptedStack(refusal(429, x_ratelimit_reset="1004500"), created).client.create()
    ScriptedStack(refusal(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), created).client.create()

    assert pauses == [4.5, 1.0]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>Welcome</html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, text="[" * 200_000),
        httpx.Response(200, text="9" * 5_000),
        httpx.Response(200, json={"id": "waitpoint_1"}),
        httpx.Response(204),
    ],
)
def test_an_answer_of_something_else_is_said_to_be_one(answer: httpx.Response, pauses: list[float]) -> None:
    with pytest.raises(InvalidAnswerError, match=r"stack\.example\.com did not answer as the Waitpoints API does"):
        ScriptedStack(answer).client.create()
    with pytest.raises(InvalidAnswerError):
        ScriptedStack(httpx.Response(200, json={"success": False})).client.complete("waitpoint_1", 1)
    assert pauses == []


def test_what_a_newer_stack_adds_is_ignored() -> None:
    token = {**TestWait.WAITING.json(), "status": "PAUSED"}
    stack = ScriptedStack(*(httpx.Response(200, json={**answer, "colour": "green"}) for answer in (CREATED, token)))

    assert stack.client.create().id == "waitpoint_1"
    assert str(stack.client.get("waitpoint_1").status) == "PAUSED"


class TestWait:
    WAITING = httpx.Response(
        200, json={"id": "waitpoint_1", "url": "u", "status": "WAITING", "tags": [], "createdAt": "2026-11-01T00:00:00.000Z"}
    )

    def test_looks_ever_less_often(self, pauses: list[float]) -> None:
        done = httpx.Response(200, json={**self.WAITING.json(), "status": "COMPLETED", "output": "1"})

        assert ScriptedStack(*[self.WAITING] * 9, done).client.wait("waitpoint_1").unwrap() == 1
        assert pauses == pytest.approx([0.5, 0.8, 1.28, 2.048, 3.2768, 5.24288, 8.388608, 10, 10])

    def test_reads_as_often_as_asked(self, pauses: list[float]) -> None:
        done = httpx.Response(200, json={**self.WAITING.json(), "status": "COMPLETED"})

        assert ScriptedStack(*[self.WAITING] * 3, done).client.wait("waitpoint_1", poll=0.25).unwrap() is None
        assert pauses == [0.25, 0.25, 0.25]

    def test_ends_with_its_timeout(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [0.0]
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))

        with pytest.raises(TimeoutError, match="waitpoint_1 still waits"):
            ScriptedStack(self.WAITING).client.wait("waitpoint_1", poll=4, timeout=10)
        assert clock == [10]

    @pytest.mark.parametrize("option", ["poll", "timeout"])
    @pytest.mark.parametrize("seconds", [-1, -0.1, float("nan")])
    def test_refuses_a_time_that_is_none(self, option: str, seconds: float) -> None:
        with pytest.raises(ValueError, match=f"{option} must be zero or more seconds"):
            ScriptedStack(self.WAITING).client.wait("waitpoint_1", **{option: seconds})
