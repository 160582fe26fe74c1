"""Timers of any length on a clock that the tests move: stream, index, rounds and queue, and races between them."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.event_sources import failures, queue_event
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.settling import complete
from tests.support.in_process.template import Context
from tests.support.timer_events import TimerEvents
from waitpoints import ids
from waitpoints.aws.services.queues import pause_after
from waitpoints.timers.reminders import plan_of
from waitpoints.token import Document, DocumentKind, NewToken, TimedOut, Waiter, iso
from waitpoints.wiring import services

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
SQS_LATENCY = 100  # milliseconds
LATENESS = 1_000 + 2 * SQS_LATENCY  # milliseconds: a delay is whole seconds, rounded up
START = 1_800_000_000_000  # epoch milliseconds


@pytest.fixture
def timers(timers: TimerEvents) -> TimerEvents:
    timers.clock.now = START
    return timers


def create(step_functions: FakeStepFunctions, timeout_at: int) -> tuple[str, Waiter]:
    """A token that one execution waits for, and that execution's waiter."""
    waiter = Waiter(step_functions.start_task(), services.now())
    return services.tokens.create(NewToken(timeout_at=timeout_at, waiter=waiter), services.now()).token_id, waiter


def check_it_times_out(timers: TimerEvents, token_id: str, timeout_at: int, at_most: int = LATENESS) -> None:
    """Run the timers. The token's waiters must get its timeout by then, and not before it."""
    timers.run_until(timeout_at - 1)
    assert services.store.get(token_id).outcome is None
    timers.run_until(timeout_at + at_most)
    assert services.store.get(token_id).outcome == TimedOut(timeout_at)
    timers.run_until(timeout_at + at_most + MINUTE)
    assert all(0 <= reply.at - timeout_at <= at_most for reply in services.store.get(token_id).replies.values())


def message(token_id: str) -> str:
    return json.dumps({"waitpointId": token_id})


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
CHANCE = random.Random(1)  # noqa: S311
BY_CHANCE = {"round_lateness": lambda: CHANCE.randrange(MINUTE), "message_lateness": lambda: CHANCE.randint(0, SQS_LATENCY)}
CONDITIONS: dict[str, tuple[dict[str, Any], int]] = {  # how AWS invokes the functions, and how late timeouts may be (ms)
    "rounds are a minute late": ({"round_lateness": lambda: 59_999}, LATENESS),
    "all is late by chance": (BY_CHANCE, LATENESS),
    "every message comes three times": ({**BY_CHANCE, "copies": 3}, LATENESS),
    "messages are late": ({"message_lateness": lambda: 10 * MINUTE}, 20 * MINUTE + LATENESS),
}


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.slow
class TestATimeoutOfAnyLength:
    @pytest.mark.parametrize(("conditions", "at_most"), CONDITIONS.values(), ids=CONDITIONS)
    def test_resumes_once_and_in_time(
        self,
        timers: TimerEvents,
        step_functions: FakeStepFunctions,
        length: int,
        conditions: dict[str, Any],
        at_most: int,
    ) -> None:
        vars(timers).update(conditions)
        timers.clock.advance(CHANCE.randrange(SECOND))
        timeout_at = timers.clock() + length
        token_id, waiter = create(step_functions, timeout_at)
        check_it_times_out(timers, token_id, timeout_at, at_most)
        result = step_functions.value(waiter.handle)
        assert (result["ok"], iso(timeout_at) in result["error"]["message"]) == (False, True)
        assert step_functions.calls[waiter.handle] == 1

    def test_is_in_time_after_messages_that_come_far_too_early(
        self, timers: TimerEvents, step_functions: FakeStepFunctions, length: int
    ) -> None:
        timeout_at = timers.clock() + length
        token_id, _ = create(step_functions, timeout_at)
        for _ in range(3):
            timers.at(timers.clock(), message(token_id))
        check_it_times_out(timers, token_id, timeout_at)


@pytest.mark.slow
@pytest.mark.parametrize("moves", [[2 * HOUR], [20 * MINUTE], [10 * MINUTE], [5 * SECOND], [HOUR, 5 * SECOND], [MINUTE, HOUR]])
@pytest.mark.parametrize("length", [MINUTE, pytest.param(HOUR, marks=THOROUGH), 30 * DAY])
def test_a_token_times_out_at_its_moved_deadline(
    timers: TimerEvents, step_functions: FakeStepFunctions, length: int, moves: list[int]
) -> None:
    token_id, waiter = create(step_functions, timers.clock() + length)
    timers.run_until(timers.clock())
    for ahead in moves:
        timeout_at = timers.clock() + ahead
        assert services.timers.move_deadline(token_id, timeout_at)
    check_it_times_out(timers, token_id, timeout_at)
    assert step_functions.calls[waiter.handle] == 1


@pytest.mark.slow
class TestReminders:
    """`dueAt` is the next reminder, escalation or timeout."""

    @staticmethod
    def create(timeout: int | None = None, **page: Any) -> str:
        now, plan = services.now(), plan_of(page)
        document = Document(DocumentKind.PAGE, json.dumps({"title": "Go?", **page}))
        first = now + min(it for it in (*plan.reminders, plan.escalation) if it is not None)
        new = NewToken(timeout_at=timeout and now + timeout, document=document, first_ask=first)
        return services.tokens.create(new, now).token_id

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
        self, timers: TimerEvents, page: dict[str, Any], timeout: int | None, hours: list[float]
    ) -> None:
        token_id = self.create(timeout, **page)
        for number, hour in enumerate(hours):
            due_at = START + int(hour * HOUR)
            for instant, asked in ((due_at - 1, number), (due_at + LATENESS, number + 1)):
                timers.run_until(instant)
                token = services.store.get(token_id)
                assert token.reminded_count + (token.escalated_at is not None) == asked
        if timeout is None:
            assert (token.outcome, token.due_at) == (None, None)
        else:
            check_it_times_out(timers, token_id, START + timeout)

    @pytest.mark.parametrize("timeout", [None, 3 * DAY])
    def test_whose_messages_were_lost_are_found_by_the_doctor(
        self, timers: TimerEvents, stack: MotoStack, timeout: int | None
    ) -> None:
        """By its look at the index and, once its cursor has passed, at the table."""
        token_id, doctor = self.create(timeout, remind=["1h", "2h"]), stack.functions()["doctor"]
        timers.clock.advance(HOUR + 2 * MINUTE)
        stack.call("start_timers", {})  # whose messages nobody gets
        for number, event in enumerate(({}, {"command": "scanAll"}), 1):
            assert doctor.call(event)["repaired"] == 1
            assert services.store.get(token_id).reminded_count == number
            timers.clock.advance(HOUR)
        assert doctor.call({"command": "scanAll"})["repaired"] == 0


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


@contextmanager
def before_calls(timers: TimerEvents, act: Callable[..., object], call: str | None = None) -> Iterator[None]:
    """Within this, something is done before each call to the table and to the queue, or before each of one kind."""
    events, name = services.dynamodb_client.meta.events, f"before-call.dynamodb.{call}" if call else "before-call"
    if call in (None, "SendMessageBatch"):
        timers.queue.before_send = act
    events.register_first(name, act)
    yield
    events.unregister(name, act)
    timers.queue.before_send = lambda: None


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, *(pytest.param(number, marks=THOROUGH) for number in (2, 3, 4)), 5])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("happens", MEANWHILE.values(), ids=MEANWHILE)
def test_a_run_in_which_something_else_happens_to_the_token_before_a_call_loses_nothing(
    timers: TimerEvents,
    stack: MotoStack,
    step_functions: FakeStepFunctions,
    happens: Callable[[str], None],
    call: str,
    number: int,
) -> None:
    """At each of its calls: a cursor and an index of four shards are read, a token, and four cursors are written."""
    length = 20 * MINUTE
    token_id, waiter = create(step_functions, timers.clock() + length)
    timers.clock.advance(length - MINUTE)
    calls = count(1)

    def meanwhile(**_: Any) -> None:
        if next(calls) == number:
            happens(token_id)

    with before_calls(timers, meanwhile, call):
        stack.call("start_timers", {})
    token = services.store.get(token_id)
    if token.timeout_at is None:
        assert happens is MEANWHILE["its timeout is removed"]
        timers.run_until(timers.clock() + HOUR)
        assert services.store.get(token_id).outcome is None
        settle(token_id)
    elif token.outcome:
        assert happens is settle
        timers.run_until(timers.clock() + HOUR)
    else:
        check_it_times_out(timers, token_id, token.timeout_at)
    assert step_functions.calls[waiter.handle] == 1


def time_out(timers: TimerEvents, token_id: str) -> None:
    timers.clock.advance(HOUR)
    services.timers.fire(token_id)


BESIDE_A_MOVE: dict[str, Callable[[TimerEvents, Api, str], object]] = {
    "it settles": lambda _timers, _api, token_id: settle(token_id),
    "a callback comes": lambda _, api, token_id: api.post(api.retrieve(token_id)["url"], "1", {}),
    "another execution waits": lambda timers, _, token_id: services.tokens.wait(token_id, Waiter("A" * 400, timers.clock())),
    "it is moved near": lambda _timers, _api, token_id: move(token_id, SECOND),
    "it is moved away": lambda _timers, _api, token_id: move(token_id, 3 * HOUR),
    "its timeout is removed": lambda _timers, _api, token_id: move(token_id, None),
    "its timeout comes": lambda timers, _, token_id: time_out(timers, token_id),
}


@pytest.mark.slow
@pytest.mark.parametrize("ahead", ["5m", pytest.param("2h", marks=THOROUGH), None])
@pytest.mark.parametrize("happens", BESIDE_A_MOVE.values(), ids=BESIDE_A_MOVE)
def test_a_move_during_which_something_else_happens_moves_the_token_or_finds_it_ended(
    timers: TimerEvents,
    step_functions: FakeStepFunctions,
    api: Api,
    happens: Callable[[TimerEvents, Api, str], object],
    ahead: str | None,
) -> None:
    """Before and after each of its calls: the read, an update of its page, the message, and the update of the token."""
    for number in range(6):
        created = api.create(timeout="1h", page={"title": "Continue?"})
        waiter = Waiter(step_functions.start_task(), timers.clock())
        services.tokens.wait(created["id"], waiter)
        calls = count(1)

        def meanwhile(number: int = number, token_id: str = created["id"], calls: Iterator[int] = calls, **_: Any) -> None:
            if next(calls) == number:
                happens(timers, api, token_id)

        with before_calls(timers, meanwhile):
            answer = api.request("PATCH", f"{TOKENS}/{created['id']}", {"timeout": ahead})
        read = services.store.get(created["id"])
        if answer.status == 409:
            assert read.outcome_at(timers.clock()) is not None
        else:
            assert answer.status == 200
        settle(created["id"])
        assert step_functions.calls[waiter.handle] == 1


@pytest.mark.parametrize("receives", [1, 5])
def test_a_message_that_fails_comes_again_soon_and_is_reported_even_if_it_cannot(
    timers: TimerEvents, stack: MotoStack, monkeypatch: pytest.MonkeyPatch, receives: int
) -> None:
    """Otherwise one transient error makes a timeout two minutes late: the queue's visibility timeout."""
    changed: list[dict[str, Any]] = []
    monkeypatch.setattr(services.dynamodb_client, "query", _unreachable)
    event = queue_event([message(ids.new_id(timers.clock()))])
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(receives)
    for change in (lambda **call: changed.append(call), _unreachable):
        monkeypatch.setattr(timers.queue, "change_message_visibility", change, raising=False)
        assert failures(stack.call("expire_tokens", event)) == ["0"]
    assert [(call["ReceiptHandle"], call["VisibilityTimeout"]) for call in changed] == [("handle-0", pause_after(receives))]


def test_a_message_that_names_an_instant_comes_again_until_its_token_has_it(
    timers: TimerEvents, stack: MotoStack, step_functions: FakeStepFunctions
) -> None:
    token_id, _ = create(step_functions, timers.clock() + DAY)
    for instant, again in ((timers.clock() + SECOND, ["0"]), (timers.clock() + DAY, [])):
        named = json.dumps({"waitpointId": token_id, "instant": instant})
        assert failures(stack.call("expire_tokens", queue_event([named], timers.clock()))) == again


def _unreachable(**_: Any) -> None:
    raise EndpointConnectionError(endpoint_url="https://example.com/")


def test_the_last_valid_instant_is_accepted_by_every_service(timers: TimerEvents, stack: MotoStack, api: Api) -> None:
    token_id = api.create(timeout="9999-12-31T23:59:59Z")["id"]
    assert services.store.get(token_id).due_at == 253_402_300_799_000
    stack.call("start_timers", {})
    assert api.retrieve(token_id)["timeoutAt"] == "9999-12-31T23:59:59.000Z"


def test_each_run_says_whether_it_is_in_time_and_one_that_fails_before_its_work_says_nothing(
    timers: TimerEvents, stack: MotoStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TimersBehindAlarm lives on it: a run that has no time for its work is behind, and one that fails sends no value."""

    def behind() -> list[float]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"TimersBehind":[' in line]
        return [value for line in lines for value in line["TimersBehind"]]

    stack.call("start_timers", {})
    assert behind() == [0]
    timers.clock.advance(HOUR)
    with monkeypatch.context() as patch:
        patch.setattr(Context, "get_remaining_time_in_millis", lambda _: 0)
        stack.call("start_timers", {})
    [milliseconds] = behind()
    assert milliseconds > 50 * MINUTE
    with monkeypatch.context() as patch:
        patch.setattr(type(services.timer_starter), "start", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stack.call("start_timers", {})
    assert behind() == []
