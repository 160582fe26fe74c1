"""Timers of any length on a clock that the tests move: stream, index, rounds and queue, and races between them."""

import heapq
import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from tests.integration.conftest import forget_services
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.event_sources import Stream, failures, queue_event
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.settling import complete
from waitpoints import ids, wiring
from waitpoints.aws.items import key_primary_key
from waitpoints.timers.due import PATIENCE
from waitpoints.timers.reminders import plan_of
from waitpoints.timers.starter import AHEAD
from waitpoints.token import (
    NEAR,
    Completed,
    Document,
    DocumentKind,
    IdempotencyKey,
    NewToken,
    Outcome,
    Status,
    TimedOut,
    Token,
    Waiter,
    iso,
)
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
SQS_LATENCY = 100  # milliseconds
LATENESS = 1_000 + 2 * SQS_LATENCY  # milliseconds: a delay is whole seconds, rounded up


class SimulatedTimers:
    """SQS and the rounds on a simulated clock: messages come after their delay, and rounds once a minute, up to a minute late.

    While nothing is due soon, the rounds that would find nothing are left out.
    """

    def __init__(self, stack: MotoStack, seed: int) -> None:
        self.stack = stack
        self.clock = FakeClock(1_800_000_000_000 + seed * 137)
        self.stream = Stream(stack)
        self.step_functions = FakeStepFunctions()
        self.random = random.Random(seed)  # noqa: S311
        self.copies = 1
        """How often each message is received."""
        self.held_up = 0
        """Extra lateness of every message (ms)."""
        self.round_lateness: int | None = None
        """How late a round is (ms); random unless set."""
        self.no_rounds_before = 0
        """Rounds are missing until this instant."""
        self.sent: list[tuple[str, int]] = []
        """Every message of the timer queue, and its delay (s)."""
        self.rounds = 0
        self.tokens: list[str] = []
        self._next_minute = self.clock()
        self._waiting: dict[str, int] = {}
        self._due: list[tuple[int, int, int, str]] = []
        self._order = count()

    def create(self, timeout_at: int) -> tuple[str, Waiter]:
        """A token that one execution waits for, and that execution's task token."""
        waiter = Waiter(self.step_functions.start_task(), self.clock())
        created = services.tokens.create(NewToken(timeout_at=timeout_at, waiter=waiter), self.clock())
        self.tokens.append(created.token_id)
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

    def fire(self, *bodies: str, sent_at: int = 0) -> Any:
        """Hand `expire_tokens` a batch of messages."""
        return self.call("expire_tokens", queue_event(bodies, sent_at))

    def start(self) -> Any:
        """Run one round."""
        self.rounds += 1
        return self.call("start_timers", {})

    def run(self, until: Callable[[], bool] = lambda: False, at_most: int = 300) -> None:
        """Move the clock from event to event until none is left or `until` is true."""
        self._waiting = {token_id: due_at for token_id in self.tokens if (due_at := self._wakes_at(token_id)) is not None}
        for _ in range(at_most):
            if until() or not (self._due or self._waiting):
                return
            round_at = self._next_round()
            if self._due and self._due[0][0] <= round_at:
                self._receive(*heapq.heappop(self._due))
                continue
            self.clock.now = max(self.clock.now, round_at)
            self._next_minute += MINUTE
            if self._next_minute >= self.no_rounds_before:
                self.start()
        raise AssertionError("timers never come to an end")

    def end_of(self, token_id: str) -> tuple[Outcome | None, int]:
        """Run until a token has ended. Returns its outcome, and when that was written."""
        self.run(until=lambda: self.status(token_id) is not Status.WAITING)
        ended_at = self.clock()
        self.run()
        return services.store.get(token_id).outcome, ended_at

    def _wakes_at(self, token_id: str) -> int | None:
        """When a token is looked at next. None if it has ended."""
        token = services.store.get(token_id)
        return None if token.outcome else token.due_at or token.timeout_at

    def _next_round(self) -> int:
        """When the next round comes. Rounds that come long before the next token is due are left out."""
        if self._next_minute + MINUTE < self.clock():  # the test has moved the clock
            self._next_minute = self.clock() - self.clock() % MINUTE
        if self._waiting and not self._due:
            soon = min(self._waiting.values()) - AHEAD - 2 * MINUTE
            self._next_minute = max(self._next_minute, soon - soon % MINUTE)
        late = self.random.randrange(MINUTE) if self.round_lateness is None else self.round_lateness
        return self._next_minute + late

    def status(self, token_id: str) -> Status:
        settled = services.store.get(token_id).outcome
        return settled.status if settled else Status.WAITING

    def message_sent(self, params: dict[str, Any], **_: Any) -> None:
        if params["QueueUrl"] != self.stack.resources["TimerQueue"]["Ref"]:
            return
        for message in params.get("Entries", [params]):
            delay = message["DelaySeconds"]
            assert isinstance(delay, int)
            assert 0 <= delay <= 900
            self.sent.append((message["MessageBody"], delay))
            for _copy in range(self.copies):
                self.queue(message["MessageBody"], self.clock() + delay * SECOND)

    def queue(self, body: str, visible_at: int) -> None:
        at = visible_at + self.held_up + self.random.randint(0, SQS_LATENCY)
        heapq.heappush(self._due, (at, next(self._order), self.clock(), body))

    def _receive(self, at: int, _number: int, sent_at: int, body: str) -> None:
        self.clock.now = max(self.clock.now, at)
        failed = failures(self.fire(body, sent_at=sent_at))
        token_id = json.loads(body)["waitpointId"]
        self._waiting.pop(token_id, None)
        if (due_at := self._wakes_at(token_id)) is not None:
            self._waiting[token_id] = due_at
        if failed:
            assert "instant" in body
            heapq.heappush(self._due, (self.clock() + SECOND, next(self._order), sent_at, body))

    def call(self, function: str, event: Any) -> Any:
        return self.stack.functions()[function].call(event)


@pytest.fixture
def build(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], SimulatedTimers]]:
    """Timers for a seed, whose clock the handlers use."""

    def build(seed: int = 0) -> SimulatedTimers:
        stack.empty_table()
        timers = SimulatedTimers(stack, seed)
        monkeypatch.setattr(wiring, "now", timers.clock)
        forget_services("sqs_client")
        monkeypatch.setitem(vars(services), "step_functions_client", timers.step_functions)
        for sending in ("SendMessage", "SendMessageBatch"):
            services.sqs_client.meta.events.register(f"provide-client-params.sqs.{sending}", timers.message_sent)
        return timers

    yield build
    monkeypatch.undo()
    forget_services("sqs_client")
    stack.empty_table()


@pytest.fixture
def timers(build: Callable[[int], SimulatedTimers]) -> SimulatedTimers:
    return build(0)


THOROUGH = pytest.mark.thorough
LENGTHS = {
    "a millisecond": 1,
    "2 s": 2 * SECOND,
    "15 min - 1 s": 15 * MINUTE - SECOND,
    "15 min": 15 * MINUTE,
    "15 min + 1 s": 15 * MINUTE + SECOND,
    "1 h": HOUR,
    "1 day": DAY,
    "30 days": 30 * DAY,
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

    @pytest.mark.parametrize("lateness", [pytest.param(0, marks=THOROUGH), 59_999])
    def test_is_accurate_to_the_second_however_late_in_their_minute_rounds_come(
        self, timers: SimulatedTimers, length: int, lateness: int
    ) -> None:
        timers.round_lateness = lateness
        assert 0 <= self.settle(timers, length) <= LATENESS

    @pytest.mark.parametrize("seed", [1, pytest.param(2, marks=THOROUGH)])
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


class TestWhoSendsTheMessage:
    def test_is_the_stream_up_to_fifteen_minutes(self, timers: SimulatedTimers) -> None:
        token_id, _ = timers.create(timers.clock() + NEAR)
        timers.arm(token_id)
        assert timers.sent == [(json.dumps({"waitpointId": token_id}, separators=(",", ":")), 900)]

    def test_is_the_round_beyond_fifteen_minutes_and_nothing_is_invoked_before(self, timers: SimulatedTimers) -> None:
        token_id, _ = timers.create(timers.clock() + NEAR + 1)
        assert timers.records(token_id) == []
        timers.clock.advance(NEAR + 1 - AHEAD - 1)
        timers.start()
        assert timers.sent == []
        timers.clock.advance(1)
        timers.start()
        assert timers.sent == [(json.dumps({"waitpointId": token_id}, separators=(",", ":")), 180)]
        timers.clock.advance(MINUTE)
        timers.start()
        assert len(timers.sent) == 1

    def test_is_the_stream_only_for_new_tokens_that_are_due_soon(self, timers: SimulatedTimers) -> None:
        timed, _ = timers.create(timers.clock() + MINUTE)
        long, _ = timers.create(timers.clock() + HOUR)
        untimed = services.tokens.create(NewToken(), timers.clock()).token_id
        settled, _ = timers.create(timers.clock() + MINUTE)
        complete(services.tokens, settled, "1")
        assert len(timers.records(timed)) == 1
        assert len(timers.records(long)) == 0
        assert len(timers.records(untimed)) == 0
        assert len(timers.records(settled)) == 1  # only its insert, not its completion or its replies


@pytest.mark.slow
class TestRunsThatGoWrong:
    """Nothing is lost, and nothing ends before its time."""

    def many(self, timers: SimulatedTimers) -> dict[str, int]:
        """Tokens that are due around an hour from now, each with its timeout."""
        timeouts = [timers.clock() + HOUR + n * 7 * SECOND for n in range(25)]
        return {timers.create(timeout_at)[0]: timeout_at for timeout_at in timeouts}

    def all_time_out(self, timers: SimulatedTimers, tokens: dict[str, int], at_most: int = LATENESS) -> None:
        timers.run(at_most=3000)
        for token_id, timeout_at in tokens.items():
            token = services.store.get(token_id)
            assert token.outcome == TimedOut(timeout_at)
            [reply] = token.replies.values()
            assert 0 <= reply.at - timeout_at <= at_most
        assert set(timers.step_functions.calls.values()) == {1}

    def test_for_an_hour_there_are_none(self, timers: SimulatedTimers) -> None:
        tokens = self.many(timers)
        timers.no_rounds_before = timers.clock() + 2 * HOUR
        self.all_time_out(timers, tokens, HOUR + 2 * MINUTE + LATENESS)

    def test_a_copied_table_times_its_tokens_out_by_itself(self, timers: SimulatedTimers) -> None:
        """Also those that fell due before the copy: the cursors of a new stack begin at 0, and none is copied."""
        tokens = self.many(timers)
        timers.start()  # the old stack's cursors move on
        timers.clock.advance(HOUR + MINUTE)
        table, cursors = timers.stack.resources["Table"]["Ref"], services.due_index.cursors()
        for shard in range(len(cursors)):
            boto3.client("dynamodb").delete_item(TableName=table, Key={"id": {"S": "timers"}, "item": {"S": str(shard)}})
        self.all_time_out(timers, tokens, 4 * MINUTE)


def refusing(send: Callable[..., Any], refuses: Callable[[str], bool]) -> Callable[..., Any]:
    """SQS, which refuses some messages of the requests that it accepts, by their bodies."""

    def refuse(QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:
        bad = [entry for entry in Entries if refuses(entry["MessageBody"])]
        good = [entry for entry in Entries if entry not in bad]
        if good:
            send(QueueUrl=QueueUrl, Entries=good)
        failed = [{"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"} for entry in bad]
        return {"Successful": [{"Id": entry["Id"]} for entry in good], "Failed": failed}

    return refuse


@pytest.mark.slow
class TestAMovedDeadline:
    @pytest.mark.parametrize(
        "moves", [[2 * HOUR], [20 * MINUTE], [10 * MINUTE], [5 * SECOND], [HOUR, 5 * SECOND], [MINUTE, HOUR]]
    )
    @pytest.mark.parametrize("length", [MINUTE, pytest.param(HOUR, marks=THOROUGH), 30 * DAY])
    def test_is_when_the_token_times_out(self, timers: SimulatedTimers, length: int, moves: list[int]) -> None:
        token_id, waiter = timers.create(timers.clock() + length)
        timers.arm(token_id)
        for ahead in moves:
            timeout_at = timers.clock() + ahead
            assert services.timers.move_deadline(token_id, timeout_at)
        outcome, ended_at = timers.end_of(token_id)
        assert outcome == TimedOut(timeout_at)
        assert 0 <= ended_at - timeout_at <= LATENESS
        assert timers.step_functions.calls[waiter.handle] == 1

    def test_brings_its_message_back_until_it_is_written(
        self, timers: SimulatedTimers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token_id, _ = timers.create(timers.clock() + HOUR)
        timeout_at, move = timers.clock() + SECOND, services.store.move_deadline

        def be_slow(token: Token, timeout_at: int | None, due_at: int | None, now: int) -> bool:
            timers.run(until=lambda: timers.clock() > now + 20 * SECOND)  # as long as a function may run
            return move(token, timeout_at, due_at, now)

        with monkeypatch.context() as slow:
            slow.setattr(services.store, "move_deadline", be_slow)
            assert services.timers.move_deadline(token_id, timeout_at)
        outcome, ended_at = timers.end_of(token_id)
        assert outcome == TimedOut(timeout_at)
        assert ended_at - timeout_at <= 22 * SECOND < PATIENCE


@pytest.mark.slow
class TestReminders:
    """`dueAt` is the next reminder, escalation or timeout."""

    @staticmethod
    def create(timers: SimulatedTimers, timeout: int | None = None, **page: Any) -> str:
        timeout_at = None if timeout is None else timers.clock() + timeout
        document = Document(DocumentKind.PAGE, json.dumps({"title": "Go?", **page}))
        plan = plan_of(page)
        first = timers.clock() + min(it for it in (*plan.reminders, plan.escalation) if it is not None)
        new = NewToken(timeout_at=timeout_at, document=document, first_ask=first)
        timers.tokens.append(token_id := services.tokens.create(new, timers.clock()).token_id)
        return token_id

    @staticmethod
    def asked(timers: SimulatedTimers, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Run to the end. Returns when it was recorded that a token is asked again."""
        asked: list[int] = []
        remind = services.store.remind

        def record(token: Token, now: Token) -> bool:
            is_recorded = remind(token, now)
            asked.extend([timers.clock()] * is_recorded)
            return is_recorded

        with monkeypatch.context() as watched:
            watched.setattr(services.store, "remind", record)
            timers.run(at_most=2_000)
        return asked

    @pytest.mark.parametrize(
        ("page", "timeout", "hours"),
        [
            ({"remind": ["4h", "1d"]}, None, [4, 24]),
            ({"remind": ["1h", "2h", "30d", "3650d"]}, 12 * 365 * DAY, [1, 2, 720, 87_600]),
            ({"remind": "every 90d"}, None, [2_160 * number for number in range(1, 21)]),
            ({"remind": ["2h"], "escalate": {"after": "90m", "to": ["lead"]}}, DAY, [1.5, 2]),
        ],
    )
    def test_come_to_the_second_also_after_years(
        self,
        timers: SimulatedTimers,
        monkeypatch: pytest.MonkeyPatch,
        page: dict[str, Any],
        timeout: int | None,
        hours: list[float],
    ) -> None:
        start = timers.clock()
        token_id = self.create(timers, timeout, **page)
        lateness = [at - start - hour * HOUR for at, hour in zip(self.asked(timers, monkeypatch), hours, strict=True)]
        assert all(0 <= late <= LATENESS for late in lateness), lateness
        token = services.store.get(token_id)
        assert token.status is (Status.WAITING if timeout is None else Status.TIMED_OUT)
        assert token.due_at == (None if timeout is None else start + timeout)

    @pytest.mark.parametrize("timeout", [None, 3 * DAY])
    def test_whose_messages_were_lost_are_found_by_the_doctor(self, timers: SimulatedTimers, timeout: int | None) -> None:
        """By its look at the index and, once its cursor has passed, at the table."""
        token_id = self.create(timers, timeout, remind=["1h", "2h"])
        timers.clock.advance(HOUR + 2 * MINUTE)
        timers.start()  # whose messages nobody gets
        for number, event in enumerate(({}, {"command": "scanAll"}), 1):
            assert timers.call("doctor", event)["repaired"] == 1
            assert services.store.get(token_id).reminded_count == number
            timers.clock.advance(HOUR)
        assert timers.call("doctor", {"command": "scanAll"})["repaired"] == 0


def settle(token_id: str) -> None:
    complete(services.tokens, token_id, '"done"')


def move(token_id: str, ahead: int | None) -> None:
    services.timers.move_deadline(token_id, None if ahead is None else services.now() + ahead)


CALLS = ("Query", "BatchGetItem", "SendMessageBatch", "UpdateItem")
MEANWHILE: dict[str, Callable[[str], None]] = {
    "it settles": settle,
    "it is moved to a second from now": partial(move, ahead=SECOND),
    "it is moved to ten minutes from now": partial(move, ahead=10 * MINUTE),
    "it is moved to an hour from now": partial(move, ahead=HOUR),
    "its timeout is removed": partial(move, ahead=None),
}


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, *(pytest.param(number, marks=THOROUGH) for number in (2, 3, 4)), 5])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("happens", MEANWHILE.values(), ids=MEANWHILE)
def test_a_run_in_which_something_else_happens_to_the_token_before_a_call_loses_nothing(
    timers: SimulatedTimers, happens: Callable[[str], None], call: str, number: int
) -> None:
    """At each of its calls: a cursor and an index of four shards are read, a token, and four cursors are written."""
    length = 20 * MINUTE
    token_id, waiter = timers.create(timers.clock() + length)
    timers.clock.advance(length - MINUTE)
    calls = count(1)

    def meanwhile(**_: Any) -> None:
        if next(calls) == number:
            happens(token_id)

    service = "sqs" if call == "SendMessageBatch" else "dynamodb"
    events = getattr(services, f"{service}_client").meta.events
    events.register_first(f"before-call.{service}.{call}", meanwhile)
    timers.start()
    events.unregister(f"before-call.{service}.{call}", meanwhile)
    timeout_at = services.store.get(token_id).timeout_at
    if timeout_at is None:
        timers.run()
        assert timers.status(token_id) is Status.WAITING
        settle(token_id)
    outcome, ended_at = timers.end_of(token_id)
    if timeout_at is None:
        assert happens is MEANWHILE["its timeout is removed"]
    elif isinstance(outcome, Completed):
        assert happens is settle
    else:
        assert outcome == TimedOut(timeout_at)
        assert 0 <= ended_at - timeout_at <= LATENESS
    assert timers.step_functions.calls[waiter.handle] == 1


BESIDE_A_MOVE: dict[str, Callable[[SimulatedTimers, str], object]] = {
    "it settles": lambda _, token_id: settle(token_id),
    "a callback comes": lambda timers, token_id: api_of(timers).post(api_of(timers).retrieve(token_id)["url"], "1", {}),
    "another execution waits": lambda timers, token_id: services.tokens.wait(token_id, new_waiter(timers)),
    "it is moved near": lambda _, token_id: move(token_id, SECOND),
    "it is moved away": lambda _, token_id: move(token_id, 3 * HOUR),
    "its timeout is removed": lambda _, token_id: move(token_id, None),
    "its timeout comes": lambda timers, token_id: (timers.clock.advance(HOUR), timers.fire(message(token_id))),
}


def api_of(timers: SimulatedTimers) -> Api:
    return Api(timers.stack.template, timers.stack.secret("ApiKey"))


def new_waiter(timers: SimulatedTimers) -> Waiter:
    return Waiter(timers.step_functions.start_task(), timers.clock())


@pytest.mark.slow
@pytest.mark.parametrize("ahead", ["5m", pytest.param("2h", marks=THOROUGH), None])
@pytest.mark.parametrize("happens", BESIDE_A_MOVE.values(), ids=BESIDE_A_MOVE)
def test_a_move_during_which_something_else_happens_moves_the_token_or_finds_it_ended(
    timers: SimulatedTimers, happens: Callable[[SimulatedTimers, str], object], ahead: str | None
) -> None:
    """Before and after each of its calls: the read, an update of its page, the message, and the update of the token."""
    for number in range(6):
        created = api_of(timers).create(timeout="1h", page={"title": "Continue?"})
        waiter = new_waiter(timers)
        services.tokens.wait(created["id"], waiter)
        calls = count(1)

        def meanwhile(number: int = number, token_id: str = created["id"], calls: Iterator[int] = calls, **_: Any) -> None:
            if next(calls) == number:
                happens(timers, token_id)

        clients = services.dynamodb_client, services.sqs_client
        for client in clients:
            client.meta.events.register_first("before-call", meanwhile)
        answer = api_of(timers).request("PATCH", f"{TOKENS}/{created['id']}", {"timeout": ahead})
        for client in clients:
            client.meta.events.unregister("before-call", meanwhile)
        read = services.store.get(created["id"])
        if answer.status == 409:
            assert read.outcome_at(timers.clock()) is not None
        else:
            assert answer.status == 200
        settle(created["id"])
        assert timers.step_functions.calls[waiter.handle] == 1


class TestWhenAwsRefuses:
    def test_a_refused_message_is_sent_again_and_then_reported_and_the_others_are_not(
        self, timers: SimulatedTimers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tokens = [timers.create(timers.clock() + MINUTE)[0] for _ in range(3)]
        records = timers.records(*tokens)
        first = records[0]["dynamodb"]["Keys"]["id"]["S"]
        refuse = refusing(services.sqs_client.send_message_batch, lambda body: first in body)
        monkeypatch.setattr(services.sqs_client, "send_message_batch", refuse)
        number = records[0]["dynamodb"]["SequenceNumber"]
        assert failures(timers.arm_records(records)) == [number]
        assert sorted(json.loads(body)["waitpointId"] for body, _ in timers.sent) == sorted(
            record["dynamodb"]["Keys"]["id"]["S"] for record in records[1:]
        )

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


class TestTheClockDecides:
    """Even if the timer never runs."""

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
        assert services.store.get(token_id).due_at == 253_402_300_799_000
        timers.start()
        assert api.retrieve(token_id)["timeoutAt"] == "9999-12-31T23:59:59.000Z"


class TestRetention:
    @pytest.mark.parametrize("timeout", ["400d", None])
    def test_of_what_is_beside_a_token_follows_its_timeout(self, timers: SimulatedTimers, timeout: str | None) -> None:
        retention = int(timers.stack.template.parameters["RetentionDays"]) * DAY
        api = Api(timers.stack.template, timers.stack.secret("ApiKey"))
        key = IdempotencyKey("retained")
        token_id = api.create(timeout="1h", page={"title": "Go?"}, idempotencyKey=key.text, idempotencyKeyTTL="1m")["id"]
        assert api.request("PATCH", f"{TOKENS}/{token_id}", {"timeout": timeout}).status == 200
        expected = None if timeout is None else (timers.clock() + 400 * DAY + retention) // SECOND
        assert self.expires_at(timers, token_id, "page") == expected
        assert self.expires_at(timers, key_primary_key(key)["id"]["S"], "key") == expected
        assert self.expires_at(timers, token_id) is None

    def expires_at(self, timers: SimulatedTimers, token_id: str, item: str = "token") -> int | None:
        key = {"id": {"S": token_id}, "item": {"S": item}}
        answer = boto3.client("dynamodb").get_item(TableName=timers.stack.resources["Table"]["Ref"], Key=key)
        found = answer["Item"].get("expiresAt")
        return None if found is None else int(found["N"])

    def test_of_a_token_begins_when_it_settles(self, timers: SimulatedTimers) -> None:
        token_id, _ = timers.create(timers.clock() + 400 * DAY)
        assert self.expires_at(timers, token_id) is None
        timers.run(until=lambda: timers.clock() > 1_800_000_000_000 + 399 * DAY)
        assert self.expires_at(timers, token_id) is None
        timers.run()
        retention = int(timers.stack.template.parameters["RetentionDays"]) * DAY
        for item in ("token", "replies"):
            assert self.expires_at(timers, token_id, item) == (timers.clock() + retention) // SECOND
