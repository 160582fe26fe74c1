"""How often a resume that AWS throttles is sent: once by the fast path, three times where nothing else backs it up.

What runs is boto3 with its own retries and the clients of `wiring`; the stub stands below them, and answers each request.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError

from tests.support.in_process.world import World
from waitpoints import wiring
from waitpoints.errors import CannotResumeNow
from waitpoints.token import ReplyKind, TokenError, WaiterKind

ATTEMPTS = vars(wiring._CONFIG)["retries"]["total_max_attempts"]
ENOUGH = 150  # throttled calls: boto3's quota of an environment pays for a hundred retries of them


class Aws:
    """Both services, which answer every request with the same `answer`. Counts the requests, and keeps boto3's pauses."""

    def __init__(self, kind: WaiterKind) -> None:
        # ThrottlingException is in Step Functions' list of common errors, TooManyRequestsException in Lambda's service model
        self._throttled = {
            WaiterKind.STEP_FUNCTIONS: (400, "ThrottlingException"),
            WaiterKind.DURABLE_FUNCTION: (429, "TooManyRequestsException"),
        }[kind]
        self.answer: Callable[[Any], Any] = self.throttles
        self.attempts = 0
        self.pauses: list[float] = []

    def take(self) -> int:
        """Return how many requests there were since the last time."""
        attempts, self.attempts = self.attempts, 0
        return attempts

    def receive(self, request: Any, **_: Any) -> Any:
        self.attempts += 1
        return self.answer(request)

    def throttles(self, request: Any) -> Any:
        return self._respond(request, *self._throttled)

    def fails(self, request: Any) -> Any:
        return self._respond(request, 500, "InternalServerError")

    def is_away(self, request: Any) -> Any:
        raise EndpointConnectionError(endpoint_url=request.url)

    def works(self, request: Any) -> Any:
        return self._respond(request, 200, "")

    def _respond(self, request: Any, status: int, code: str) -> Any:
        make: Any = AWSResponse  # its types ask for an HTTP connection
        response = make(request.url, status, {"x-amzn-errortype": code} if code else {}, None)
        response._content = b'{"__type": "%s", "message": "as the test says"}' % code.encode() if code else b"{}"
        return response


@pytest.fixture(params=WaiterKind)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def aws(kind: WaiterKind, monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws(kind)
    monkeypatch.setattr("botocore.endpoint.time.sleep", made.pauses.append)
    return made


@pytest.fixture
def world(kind: WaiterKind, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The domain on moto, with the resumers and clients that `wiring` makes."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made, services = World(kind=kind), wiring.Services()
    made.resumers.step_functions = services.step_functions
    made.resumers.durable_functions = services.durable_functions
    services.step_functions_client.meta.events.register("before-send.sfn", aws.receive)  # moto, if it runs, comes second
    services.lambda_client.meta.events.register("before-send.lambda", aws.receive)
    yield made
    services.reset()


def is_resumed(world: World, token: str) -> bool:
    found = world.tokens.retrieve(token)
    return not found.unresumed() and {reply.kind for reply in found.replies.values()} == {ReplyKind.RESUMED}


class TestTheFastPath:
    @pytest.mark.parametrize("result", ["1", TokenError("Refused", "by the carrier")], ids=["completed", "failed"])
    def test_sends_a_throttled_resume_once_and_leaves_it_to_the_stream(self, world: World, aws: Aws, result: Any) -> None:
        token, _ = world.awaited()
        world.complete(token, result)
        assert (aws.take(), aws.pauses) == (1, [])
        aws.answer = aws.works
        assert world.tokens.resume_waiters(token) == []
        assert is_resumed(world, token)

    def test_sends_that_of_each_waiter_once(self, world: World, aws: Aws) -> None:
        """They are sent by several threads."""
        token, _ = world.awaited(5)
        world.complete(token, "1")
        assert (aws.take(), aws.pauses) == (5, [])

    @pytest.mark.parametrize("failure", [Aws.is_away, Aws.fails], ids=["no connection", "5xx"])
    def test_repeats_what_failed_otherwise(self, world: World, aws: Aws, failure: Callable[[Aws, Any], Any]) -> None:
        aws.answer = lambda request: failure(aws, request)
        world.complete(world.awaited()[0], "1")
        assert aws.take() == ATTEMPTS
        assert max(aws.pauses) < 2

    def test_repeats_it_at_once_with_a_new_boto3(self, world: World, aws: Aws) -> None:
        """Its pauses of what is no throttle are at most 50 and 100 ms. Those of older ones are at most one and two seconds."""
        aws.answer = aws.fails
        world.complete(world.awaited()[0], "1")
        assert max(aws.pauses) < 0.1

    def test_stops_when_a_repeated_resume_is_throttled(self, world: World, aws: Aws) -> None:
        aws.answer = lambda request: aws.is_away(request) if aws.attempts == 1 else aws.throttles(request)
        world.complete(world.awaited()[0], "1")
        assert aws.take() == 2

    def test_keeps_the_quota_of_retries_for_what_failed_otherwise(self, world: World, aws: Aws) -> None:
        for _ in range(ENOUGH):
            world.complete(world.awaited()[0], "1")
        assert aws.take() == ENOUGH
        aws.answer = aws.is_away
        world.complete(world.awaited()[0], "1")
        assert aws.take() == ATTEMPTS


class TestWhereNothingElseRepeatsIt:
    def test_the_stream_repeats_a_throttled_resume(self, world: World, aws: Aws) -> None:
        token, _ = world.awaited()
        world.complete(token, "1")
        aws.take()
        [left] = world.tokens.resume_waiters(token)
        assert isinstance(left.reason, CannotResumeNow)
        assert (aws.take(), len(aws.pauses)) == (ATTEMPTS, ATTEMPTS - 1)

    def test_a_late_waiter_repeats_it(self, world: World, aws: Aws) -> None:
        token = world.create()
        world.complete(token, "1")
        with pytest.raises(CannotResumeNow):
            world.wait(token)
        assert aws.take() == ATTEMPTS

    def test_a_late_waiter_repeats_it_although_it_timed_the_token_out_for_others(self, world: World, aws: Aws) -> None:
        token, _ = world.awaited(timeout=1_000)
        world.advance(1_000)
        with pytest.raises(CannotResumeNow):
            world.wait(token)
        assert aws.take() == 1 + ATTEMPTS

    def test_giving_up_repeats_it_and_gives_nothing_up(self, world: World, aws: Aws) -> None:
        token, _ = world.awaited()
        world.complete(token, "1")
        aws.take()
        with pytest.raises(CannotResumeNow):
            world.tokens.give_up(token)
        assert aws.take() == ATTEMPTS
        assert len(world.tokens.retrieve(token).unresumed()) == 1
