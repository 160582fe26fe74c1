"""Timers of any length on a clock that the tests move: stream, Scheduler and queue, and races between them."""

import heapq
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from in_process.api_gateway import TOKENS, Api
from in_process.event_sources import Stream, failures, queue_event
from in_process.fakes.clock import FakeClock
from in_process.fakes.step_functions import FakeStepFunctions
from in_process.moto_stack import MotoStack
from tests.support.settling import complete
from waitpoints import ids, wiring
from waitpoints.aws.timers import LONGEST_DELAY
from waitpoints.token import NewToken, Status, Waiter, iso
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
SQS_LATENCY = 100  # milliseconds
LATENESS = 1_000 + 2 * SQS_LATENCY  # milliseconds: a delay is whole seconds, rounded up
SENDING = "provide-client-params.sqs.SendMessage"


class SimulatedTimers:
    """SQS and Scheduler on a simulated clock: messages come after their delay, schedules fire once, within their minute."""

    def __init__(self, stack: MotoStack, seed: int) -> None:
        self.stack = stack
        self.clock = FakeClock(1_800_000_000_000 + seed * 137)
        self.stream = Stream(stack)
        self.step_functions = FakeStepFunctions()
        self.random = random.Random(seed)  # noqa: S311
        self.copies = 1
        """How often each message is received."""
        self.held_up = 0
        """Extra lateness of every message and schedule (ms)."""
        self.scheduler_jitter: int | None = None
        """How late in its minute a schedule fires (ms); random unless set."""
        self.sent: list[tuple[str, int]] = []
        """Every message of the timer queue, and its delay (s)."""
        self.fired: list[str] = []
        """The names of the schedules that have fired."""
        self._scheduler = boto3.client("scheduler")
        self._due: list[tuple[int, int, str]] = []
        self._order = count()

    def create(self, timeout_at: int) -> tuple[str, Waiter]:
        """A token that one execution waits for, and that execution's task token."""
        waiter = Waiter(self.step_functions.start_task(), self.clock())
        created = services.tokens.create(NewToken(timeout_at=timeout_at, waiter=waiter), self.clock())
        return created.token_id, waiter

    def arm(self, *token_ids: str) -> Any:
        """Hand `schedule_timeouts` the stream's records of these tokens."""
        return self.arm_records(self.records(*token_ids))

    def arm_records(self, records: list[dict[str, Any]]) -> Any:
        return self.call("schedule_timeouts", {"Records": records})

    def records(self, *token_ids: str) -> list[dict[str, Any]]:
        """The stream's records of these tokens that `schedule_timeouts` gets."""
        every = self.stream.records("schedule_timeouts")
        return [record for record in every if record["dynamodb"]["Keys"]["id"]["S"] in token_ids]

    def fire(self, *bodies: str) -> Any:
        """Hand `expire_tokens` a batch of messages."""
        return self.call("expire_tokens", queue_event(bodies))

    def run(self, until: Callable[[], bool] = lambda: False, at_most: int = 100) -> None:
        """Move the clock from event to event until none is left or `until` is true."""
        for _ in range(at_most):
            if not self._due or until():
                return
            at, _number, body = heapq.heappop(self._due)
            self.clock.now = max(self.clock.now, at)
            assert failures(self.fire(body)) == []
        raise AssertionError("timers never come to an end")

    def schedules(self) -> list[dict[str, Any]]:
        group = self.stack.resources["TimerGroup"]["Ref"]
        names = [schedule["Name"] for schedule in self._scheduler.list_schedules(GroupName=group)["Schedules"]]
        return [dict(self._scheduler.get_schedule(GroupName=group, Name=name)) for name in names]

    def remove_schedules(self) -> None:
        for schedule in self.schedules():
            self._scheduler.delete_schedule(GroupName=schedule["GroupName"], Name=schedule["Name"])

    def status(self, token_id: str) -> Status:
        settled = services.store.get(token_id).outcome
        return settled.status if settled else Status.WAITING

    def message_sent(self, params: dict[str, Any], **_: Any) -> None:
        if params["QueueUrl"] != self.stack.resources["TimerQueue"]["Ref"]:
            return
        delay = params["DelaySeconds"]
        assert isinstance(delay, int)
        assert 0 <= delay <= 900
        self.sent.append((params["MessageBody"], delay))
        for _copy in range(self.copies):
            self._queue(params["MessageBody"], self.clock() + delay * SECOND)

    def _queue(self, body: str, visible_at: int) -> None:
        at = visible_at + self.held_up + self.random.randint(0, SQS_LATENCY)
        heapq.heappush(self._due, (at, next(self._order), body))

    def call(self, function: str, event: Any) -> Any:
        answer = self.stack.functions()[function].call(event)
        for schedule in self.schedules():
            if schedule["Name"] not in self.fired:
                self.fired.append(schedule["Name"])
                jitter = self.random.randrange(MINUTE) if self.scheduler_jitter is None else self.scheduler_jitter
                for _copy in range(self.copies):
                    self._queue(schedule["Target"]["Input"], instant(schedule) + jitter)
        return answer


def instant(schedule: dict[str, Any]) -> int:
    """When a one-off schedule is due (ms)."""
    expression = schedule["ScheduleExpression"]
    assert expression.startswith("at("), expression
    return round(datetime.strptime(expression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC).timestamp()) * 1000


@pytest.fixture
def build(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], SimulatedTimers]]:
    """Timers for a seed, whose clock the handlers use."""

    def build(seed: int = 0) -> SimulatedTimers:
        timers = SimulatedTimers(stack, seed)
        monkeypatch.setattr(wiring, "now", timers.clock)
        services.reset()
        monkeypatch.setitem(vars(services), "step_functions_client", timers.step_functions)
        timers.remove_schedules()  # those of the tests before
        services.sqs_client.meta.events.register(SENDING, timers.message_sent)
        return timers

    yield build
    monkeypatch.undo()
    services.reset()


@pytest.fixture
def timers(build: Callable[[int], SimulatedTimers]) -> SimulatedTimers:
    return build(0)


LENGTHS = {
    "a millisecond": 1,
    "2 s": 2 * SECOND,
    "15 min - 1 s": 15 * MINUTE - SECOND,
    "15 min": 15 * MINUTE,
    "15 min + 1 s": 15 * MINUTE + SECOND,
    "1 h": HOUR,
    "1 day": DAY,
    "400 days": 400 * DAY,
    "3 years": 3 * 365 * DAY,
}


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.slow
class TestATimeoutOfAnyLength:
    def settle(self, timers: SimulatedTimers, length: int) -> int:
        """Run a token with this timeout until its waiter is resumed. Returns how late that was (ms)."""
        timeout_at = timers.clock() + length
        token_id, waiter = timers.create(timeout_at)
        assert failures(timers.arm(token_id)) == []
        timers.run(until=lambda: timers.status(token_id) is not Status.WAITING)
        settled_at = timers.clock()
        timers.run()
        token = services.store.get(token_id)
        assert token.outcome is not None
        assert token.outcome.status is Status.TIMED_OUT
        assert token.outcome.at == timeout_at
        result = timers.step_functions.result(waiter.handle)
        assert isinstance(result, Success)
        assert json.loads(result.json)["ok"] is False
        assert iso(timeout_at) in result.json
        assert timers.step_functions.calls[waiter.handle] == 1
        return settled_at - timeout_at

    @pytest.mark.parametrize("jitter", [0, 59_999])
    def test_is_accurate_to_the_second_wherever_in_its_minute_scheduler_fires(
        self, timers: SimulatedTimers, length: int, jitter: int
    ) -> None:
        timers.scheduler_jitter = jitter
        assert 0 <= self.settle(timers, length) <= LATENESS

    @pytest.mark.parametrize("seed", [1, 2])
    def test_is_accurate_to_the_second_from_any_fraction_of_a_second(
        self, build: Callable[[int], SimulatedTimers], length: int, seed: int
    ) -> None:
        assert 0 <= self.settle(build(seed), length) <= LATENESS

    def test_happens_once_when_every_message_comes_three_times(self, timers: SimulatedTimers, length: int) -> None:
        timers.copies = 3
        assert 0 <= self.settle(timers, length) <= LATENESS

    def test_happens_as_soon_as_a_late_message_comes(self, timers: SimulatedTimers, length: int) -> None:
        timers.held_up = 10 * MINUTE
        assert 0 <= self.settle(timers, length) <= timers.held_up * 2 + LATENESS

    def test_is_accurate_to_the_second_after_a_message_that_comes_far_too_early(
        self, timers: SimulatedTimers, length: int
    ) -> None:
        timeout_at = timers.clock() + length
        token_id, _ = timers.create(timeout_at)
        for _ in range(3):
            assert failures(timers.fire(message(token_id))) == []
        assert timers.status(token_id) is Status.WAITING
        timers.run(until=lambda: timers.status(token_id) is not Status.WAITING)
        assert 0 <= timers.clock() - timeout_at <= LATENESS


def message(token_id: str) -> str:
    return json.dumps({"waitpointId": token_id})


class TestArming:
    def test_uses_only_the_queue_up_to_fifteen_minutes(self, timers: SimulatedTimers) -> None:
        token_id, _ = timers.create(timers.clock() + LONGEST_DELAY)
        timers.arm(token_id)
        assert timers.sent == [(json.dumps({"waitpointId": token_id}, separators=(",", ":")), 900)]
        assert timers.fired == []

    def test_beyond_fifteen_minutes_makes_a_schedule_that_sends_the_message_and_deletes_itself(
        self, timers: SimulatedTimers
    ) -> None:
        timeout_at = timers.clock() + LONGEST_DELAY + 1
        token_id, _ = timers.create(timeout_at)
        services.timers.arm(token_id, timeout_at, timers.clock())
        [schedule] = timers.schedules()
        assert schedule["GroupName"] == timers.stack.resources["TimerGroup"]["Ref"]
        assert schedule["State"] == "ENABLED"
        assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert schedule["ActionAfterCompletion"] == "DELETE"
        assert schedule.get("ScheduleExpressionTimezone", "UTC") == "UTC"
        assert timers.clock() < instant(schedule) <= timeout_at - MINUTE
        target = schedule["Target"]
        assert target["Arn"] == timers.stack.resources["TimerQueue"]["Arn"]
        assert target["RoleArn"] == timers.stack.resources["TimerRole"]["Arn"]
        assert json.loads(target["Input"]) == {"waitpointId": token_id}
        assert timers.sent == []
        timers.arm(token_id)  # the stream sends the record again: the schedule exists already
        assert len(timers.fired) == 1

    def test_again_while_the_schedule_exists_changes_nothing(self, timers: SimulatedTimers) -> None:
        timeout_at = timers.clock() + DAY
        token_id, _ = timers.create(timeout_at)
        for _ in range(3):
            services.timers.arm(token_id, timeout_at, timers.clock())
        assert len(timers.schedules()) == 1
        timers.arm(token_id)

    def test_happens_only_for_new_tokens_with_a_timeout(self, timers: SimulatedTimers) -> None:
        timed, _ = timers.create(timers.clock() + HOUR)
        untimed = services.tokens.create(NewToken(), timers.clock()).token_id
        settled, _ = timers.create(timers.clock() + HOUR)
        complete(services.tokens, settled, "1")
        assert len(timers.records(timed)) == 1
        assert len(timers.records(untimed)) == 0
        assert len(timers.records(settled)) == 1  # only its insert, not its completion or its replies

    def test_after_the_timeout_times_the_token_out_at_once(self, timers: SimulatedTimers) -> None:
        token_id, _ = timers.create(timers.clock() + SECOND)
        timers.clock.advance(seconds=3600)
        timers.arm(token_id)
        assert [delay for _, delay in timers.sent] == [0]
        timers.run()
        assert timers.status(token_id) is Status.TIMED_OUT

    def test_reports_only_the_record_that_cannot_be_armed(self, timers: SimulatedTimers) -> None:
        good = [timers.create(timers.clock() + length)[0] for length in (MINUTE, HOUR, DAY)]
        records = timers.records(*good)
        poison = json.loads(json.dumps(records[1]))
        poison["dynamodb"]["NewImage"]["timeoutAt"] = {"S": "soon"}
        poison["dynamodb"]["SequenceNumber"] = "poison"
        assert failures(timers.arm_records([records[0], poison, *records[1:]])) == ["poison"]
        assert len(timers.sent) + len(timers.fired) == 3


class TestWhenAwsRefuses:
    def test_a_refused_schedule_is_dead_lettered_and_later_timers_are_armed(
        self, timers: SimulatedTimers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The quota of schedules is per account and region. Retrying would block every later timer for hours."""

        def refuse(**_: Any) -> None:
            error: Any = {"Error": {"Code": "ServiceQuotaExceededException", "Message": "schedules"}}
            raise services.scheduler_client.exceptions.ServiceQuotaExceededException(error, "CreateSchedule")

        monkeypatch.setattr(services.scheduler_client, "create_schedule", refuse)
        far, near = timers.create(timers.clock() + DAY)[0], timers.create(timers.clock() + MINUTE)[0]
        assert failures(timers.arm(far, near)) == []
        assert [json.loads(body)["waitpointId"] for body, delay in timers.sent if delay] == [near]
        sqs, queue = boto3.client("sqs"), timers.stack.resources["DeadLetterQueue"]["Ref"]
        [letter] = sqs.receive_message(QueueUrl=queue)["Messages"]
        assert json.loads(letter["Body"]) == {"waitpointId": far, "reason": "ServiceQuotaExceededException"}
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])

    @pytest.mark.parametrize(("receives", "pause"), [(1, 1), (2, 2), (5, 16), (8, 120), (99, 120)])
    def test_a_failed_message_is_retried_soon(
        self, timers: SimulatedTimers, monkeypatch: pytest.MonkeyPatch, receives: int, pause: int
    ) -> None:
        """Otherwise one transient error makes a timeout two minutes late: the queue's visibility timeout."""
        changed: list[dict[str, Any]] = []
        monkeypatch.setattr(services.sqs_client, "change_message_visibility", lambda **call: changed.append(call))
        monkeypatch.setattr(services.dynamodb_client, "query", _unreachable)
        event = queue_event([message(ids.new_id(timers.clock()))])
        event["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(receives)
        assert failures(timers.call("expire_tokens", event)) == ["0"]
        [call] = changed
        assert (call["ReceiptHandle"], call["VisibilityTimeout"]) == ("handle-0", pause)

    def test_a_failed_message_is_reported_even_if_its_visibility_cannot_be_changed(
        self, timers: SimulatedTimers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services.sqs_client, "change_message_visibility", _unreachable)
        monkeypatch.setattr(services.dynamodb_client, "query", _unreachable)
        assert failures(timers.fire(message(ids.new_id(timers.clock())))) == ["0"]


def _unreachable(**_: Any) -> None:
    raise EndpointConnectionError(endpoint_url="https://example.com/")


class TestMessages:
    def test_of_settled_tokens_are_dropped(self, timers: SimulatedTimers) -> None:
        completed, waiter = timers.create(timers.clock() + MINUTE)
        complete(services.tokens, completed, '"done"')
        timers.clock.advance(seconds=120)
        assert failures(timers.fire(message(completed), message(completed))) == []
        assert timers.sent == []
        assert timers.status(completed) is Status.COMPLETED
        assert timers.step_functions.result(waiter.handle) == Success('{"ok":true,"output":"done"}')

    def test_of_settled_tokens_are_dropped_before_their_timeout_too(self, timers: SimulatedTimers) -> None:
        completed, _ = timers.create(timers.clock() + MINUTE)
        complete(services.tokens, completed, '"done"')
        assert failures(timers.fire(message(completed))) == []
        assert timers.sent == []

    def test_of_missing_tokens_are_dropped(self, timers: SimulatedTimers) -> None:
        assert failures(timers.fire(message(ids.new_id(timers.clock())))) == []
        assert timers.sent == []

    def test_of_tokens_without_a_timeout_are_dropped(self, timers: SimulatedTimers) -> None:
        untimed = services.tokens.create(NewToken(), timers.clock()).token_id
        assert failures(timers.fire(message(untimed))) == []
        assert timers.sent == []
        assert timers.status(untimed) is Status.WAITING

    @pytest.mark.parametrize("poison", ["", "{", "null", "[]", "{}", '{"waitpointId": 5}', '{"waitpointId": "x"}'])
    def test_that_cannot_be_parsed_are_reported_and_delay_no_other(self, timers: SimulatedTimers, poison: str) -> None:
        tokens = [timers.create(timers.clock() + SECOND)[0] for _ in range(9)]
        timers.clock.advance(seconds=1)
        answer = timers.fire(*map(message, tokens[:4]), poison, *map(message, tokens[4:]))
        assert failures(answer) == ["4"]
        assert {timers.status(token_id) for token_id in tokens} == {Status.TIMED_OUT}


class TestTheClockDecides:
    """Even if the timer never runs."""

    def test_a_late_completion_settles_the_token_as_timed_out_and_resumes_its_waiters(self, timers: SimulatedTimers) -> None:
        token_id, waiter = timers.create(timers.clock() + MINUTE)
        timers.clock.advance(MINUTE)
        complete(services.tokens, token_id, '"late"')
        assert timers.status(token_id) is Status.TIMED_OUT
        result = timers.step_functions.result(waiter.handle)
        assert isinstance(result, Success)
        assert "late" not in result.json

    def test_a_late_waiter_is_resumed_at_once(self, timers: SimulatedTimers) -> None:
        token_id, first = timers.create(timers.clock() + MINUTE)
        timers.clock.advance(MINUTE)
        late = Waiter(timers.step_functions.start_task(), timers.clock())
        services.tokens.wait(token_id, late)
        assert timers.step_functions.result(late.handle) == timers.step_functions.result(first.handle) is not None

    def test_a_token_reads_as_timed_out_before_it_is_written(self, timers: SimulatedTimers) -> None:
        api = Api(timers.stack.template, timers.stack.secret("ApiKey"))
        token_id = api.create(timeout="1m", tags="unwritten")["id"]
        timers.clock.advance(MINUTE - 1)
        assert api.retrieve(token_id)["status"] == "WAITING"
        timers.clock.advance(1)
        read = api.retrieve(token_id)
        assert read["status"] == "TIMED_OUT"
        assert read["completedAt"] == read["timeoutAt"] == iso(timers.clock())
        assert json.loads(read["output"])["code"] == "TRIGGER_WAITPOINT_TIMEOUT"
        listed = api.get(f"{TOKENS}?filter%5Bstatus%5D=TIMED_OUT&filter%5Btags%5D=unwritten").json["data"]
        assert [token_id] == [token["id"] for token in listed]
        assert timers.status(token_id) is Status.WAITING


class TestRefusedBeforeAnythingIsWritten:
    @pytest.mark.parametrize(
        "timeout",
        ["10000-01-01", "+010000-01-01T00:00:00Z", "99999999999w", "275760-09-13", "9999-12-31T23:59:59-01:00", "soon", 5],
    )
    def test_a_timeout_that_aws_cannot_store(self, timers: SimulatedTimers, timeout: Any) -> None:
        api = Api(timers.stack.template, timers.stack.secret("ApiKey"))
        before = self.items(timers)
        for key in ({}, {"idempotencyKey": f"never-{timeout}"}):
            answer = api.post(TOKENS, {"timeout": timeout, **key})
            assert answer.status == 422
            assert answer.error.startswith("Invalid timeout")
        assert self.items(timers) == before

    @pytest.mark.parametrize("ttl", ["999999999999999d", "forever"])
    def test_a_key_with_too_long_a_lifetime(self, timers: SimulatedTimers, ttl: str) -> None:
        api = Api(timers.stack.template, timers.stack.secret("ApiKey"))
        before = self.items(timers)
        answer = api.post(TOKENS, {"idempotencyKey": f"never-{ttl}", "idempotencyKeyTTL": ttl})
        assert answer.status == 422
        assert "idempotencyKeyTTL" in answer.error
        assert self.items(timers) == before

    def items(self, timers: SimulatedTimers) -> int:
        pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=timers.stack.resources["Table"]["Ref"])
        return sum(page["Count"] for page in pages)

    def test_but_the_last_valid_instant_is_accepted_by_every_service(self, timers: SimulatedTimers) -> None:
        api = Api(timers.stack.template, timers.stack.secret("ApiKey"))
        token_id = api.create(timeout="9999-12-31T23:59:59Z")["id"]
        assert failures(timers.arm(token_id)) == []
        assert len(timers.fired) == 1
        assert api.retrieve(token_id)["timeoutAt"] == "9999-12-31T23:59:59.000Z"


class TestRetention:
    def expires_at(self, timers: SimulatedTimers, token_id: str, item: str = "token") -> int | None:
        key = {"id": {"S": token_id}, "item": {"S": item}}
        answer = boto3.client("dynamodb").get_item(TableName=timers.stack.resources["Table"]["Ref"], Key=key)
        found = answer["Item"].get("expiresAt")
        return None if found is None else int(found["N"])

    def test_of_a_token_begins_when_it_settles(self, timers: SimulatedTimers) -> None:
        token_id, _ = timers.create(timers.clock() + 400 * DAY)
        timers.arm(token_id)
        assert self.expires_at(timers, token_id) is None
        timers.run(until=lambda: timers.clock() > 1_800_000_000_000 + 399 * DAY)
        assert self.expires_at(timers, token_id) is None
        timers.run()
        retention = int(timers.stack.template.parameters["RetentionDays"]) * DAY
        for item in ("token", "replies"):
            assert self.expires_at(timers, token_id, item) == (timers.clock() + retention) // SECOND
