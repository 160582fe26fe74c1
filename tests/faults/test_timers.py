"""What starts timers, moves deadlines and finds what is overdue: every call fails in every way, and no timeout is lost.

An execution must get its timeout by the rounds that follow, and never before its time. `make test` runs a choice, as in
`test_every_call`, and `make thorough` every other fault of the shorter flows, and a choice of the longer ones.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from doctor import LAST_READ
from tests.support.faults.aws import client
from tests.support.faults.callers import PATIENCE
from tests.support.faults.figures import Figures
from tests.support.faults.flows import HOUR, SMALL, Flow, waiting
from tests.support.faults.matrix import Matrix, Plan
from tests.support.faults.wire import FAULTS, TOLD_APART, Fault, Killed
from tests.support.faults.world import Timeout, World
from tests.support.in_process.fakes.waits import DENIED
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import Context
from waitpoints.aws.doctor_store import DoctorStore
from waitpoints.aws.items import UNDELIVERED
from waitpoints.wiring import services

MINUTE, DAY = 60_000, 24 * HOUR
FLOWS: dict[str, Flow] = {}
TIMERS: list[str] = []
DOCTORS: list[str] = []
IN_A_WHOLE_ROUND = [fault for fault in FAULTS if fault.name in ("throttled", "killed after") or fault.only]
"""What may happen to all calls of one kind."""


def to(flows: list[str]) -> Callable[[Flow], Flow]:
    def add(function: Flow) -> Flow:
        name = function.__name__.replace("_", " ")
        flows.append(name)
        FLOWS[name] = function
        return function

    return add


def advance_to(world: World, due_at: int) -> None:
    """Move the clock to a token's timeout, with a stop just before it, so that the world sees what comes too early."""
    world.clock.now = max(world.clock.now, due_at - 1)
    world.come_to_rest()
    world.advance(due_at - world.clock.now)


@to(TIMERS)
def a_round(world: World) -> None:
    """Two tokens have come near, and a third one that has ended."""
    one, other, ended = (world.create(timeout="2h") for _ in range(3))
    due_at = world.clock() + 2 * HOUR
    with waiting(world, ended, SMALL):
        world.deliver(ended, SMALL)
    with waiting(world, one, Timeout()), waiting(world, other, Timeout()):
        world.clock.now = due_at - 2 * MINUTE
        with world.faulty():
            world.come_to_rest()
        advance_to(world, due_at)


@to(TIMERS)
def the_first_round_after_an_hour(world: World) -> None:
    overdue, near = world.create(timeout="20m"), world.create(timeout="71m")
    due_at = world.clock() + 71 * MINUTE
    with waiting(world, overdue, Timeout()), waiting(world, near, Timeout()):
        world.rounds.missing = True
        world.advance(HOUR)
        assert not any(world.token(token["id"]).due_at is None for token in (overdue, near))
        assert not any(world.step_functions.results().values()), "something else has timed it out"
        world.clock.now = due_at - 2 * MINUTE
        world.rounds.missing = False
        with world.faulty():
            world.come_to_rest()
        advance_to(world, due_at)


def move_deadline(world: World, token: dict[str, Any], timeout_at: int) -> int:
    """Move it during faults, by a caller that does not try again. Returns the deadline that stands."""
    with world.faulty():
        with suppress(BotoCoreError, ClientError, Killed), world.wire.watched():
            assert services.timers.move_deadline(token["id"], timeout_at)
        world.come_to_rest()
    return services.store.get(token["id"]).timeout_at or 0


@to(TIMERS)
def a_deadline_that_is_moved_near(world: World) -> None:
    """So near that the cursor has passed it already."""
    token = world.create(timeout="2h")
    with waiting(world, token, Timeout()):
        world.come_to_rest()
        world.lambdas.invoke("start_timers", {})
        timeout_at = move_deadline(world, token, world.clock() + 2 * MINUTE)
        advance_to(world, timeout_at)


@to(TIMERS)
def a_deadline_that_is_moved_away(world: World) -> None:
    token = world.create(timeout="10m")
    with waiting(world, token, Timeout()):
        world.come_to_rest()
        timeout_at = move_deadline(world, token, world.clock() + 2 * HOUR)
        world.advance(10 * MINUTE)  # the message of the first instant comes
        advance_to(world, timeout_at)


ASKING: dict[str, Any] = {
    "title": "Deploy?",
    "approvers": ["ann", "bo"],
    "actions": [{"id": "go", "label": "Go", "needs": 2}],
    "remind": ["2h", "3h"],
    "escalate": {"after": "2h45s", "to": ["lead"]},
}


GO = '{"action": "go", "fields": {}}'


def expect_asked(world: World, token: dict[str, Any], *expected: object) -> None:
    now = services.store.get(token["id"])
    asked = (now.reminded_count, now.escalated_at is not None, [answer.approver for answer in now.answers])
    if asked != expected:
        world.early.append(f"{token['id']}, which was to be asked {expected} and was asked {asked},")


@to(TIMERS)
def reminders_and_an_escalation(world: World) -> None:
    """The escalation is so near the first reminder that the cursor has passed it, and an answer comes at that moment."""
    token, start = world.create(timeout="5h", page=ASKING), world.clock()
    world.clock.now = start + 2 * HOUR - 2 * MINUTE
    with world.faulty():
        world.come_to_rest()
        world.clock.now = start + 2 * HOUR + 1_000
        world.answer(token, "ann", GO)
        world.come_to_rest()
    world.advance(start + 2 * HOUR + 9 * MINUTE - world.clock.now)
    expect_asked(world, token, 1, True, ["ann"])
    world.advance(start + 3 * HOUR + 9 * MINUTE - world.clock.now)
    expect_asked(world, token, 2, True, ["ann"])
    world.advance(start + 5 * HOUR - world.clock.now)
    expect_asked(world, token, 2, True, ["ann"])


@to(TIMERS)
def a_reminder_whose_deadline_moves_during_it(world: World) -> None:
    """Then the token has no timeout in the index that would find it."""
    token, start = world.create(timeout="5h", page={**ASKING, "remind": ["2h"], "escalate": ASKING["escalate"]}), world.clock()
    world.clock.now = start + 2 * HOUR - 2 * MINUTE
    world.come_to_rest()
    world.clock.now = start + 2 * HOUR
    timeout_at = move_deadline(world, token, world.clock() + 3 * DAY)
    world.advance(start + 2 * HOUR + 9 * MINUTE - world.clock.now)
    expect_asked(world, token, 1, True, [])
    advance_to(world, timeout_at)


def marks(world: World) -> list[str]:
    """The tokens that have a mark: a waiter of each could not be resumed."""
    wanted = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": UNDELIVERED}}}
    return [item["item"]["S"] for item in client("dynamodb").query(TableName=world.table, **wanted)["Items"]]


@contextmanager
def left_undone(world: World) -> Iterator[None]:
    """Before this, one token has lost its timer, and one has a mark.

    Afterwards the doctor has two days for them, without a fault.
    """
    overdue, marked = world.create(timeout="2h"), world.create()
    del world.streams["schedule_timeouts"]
    denied = world.wait(marked)
    denied.waits.fail_next(DENIED, times=1_000, handle=denied.handles[-1])
    world.deliver(marked, SMALL)
    world.rounds.missing = True
    with waiting(world, overdue, Timeout()):
        world.advance(2 * HOUR)
        assert marks(world) == [marked["id"]]
        assert world.token(overdue["id"]).outcome is not None
        denied.waits.fail_no_more()
        yield
        for _ in range(2):
            world.lambdas.invoke("doctor", {})
            assert marks(world) == []
            if services.store.get(overdue["id"]).outcome is None:
                world.early.append("a round has left what is overdue")
            world.clock.advance(DAY)
        world.rounds.missing = False
    world.expect(denied, marked, SMALL)


@to(DOCTORS)
def a_round_of_the_doctor(world: World) -> None:
    with left_undone(world), world.faulty(), suppress(Exception, Killed):
        world.lambdas.invoke("doctor", {})


@contextmanager
def with_little_time() -> Iterator[None]:
    """Within this, the table has three parts, and an invocation has time for two reads."""
    count, reads = DoctorStore.count_segments, Counter[Context]()

    def remaining(context: Context) -> int:
        reads[context] += 1
        return LAST_READ + (reads[context] <= 2)

    with (
        mock.patch.object(DoctorStore, "count_segments", lambda store: max(3, count(store))),
        mock.patch.object(Context, "get_remaining_time_in_millis", remaining),
    ):
        yield


@to(DOCTORS)
def a_look_at_everything_in_two_invocations(world: World) -> None:
    """An operator's command invokes it again from where it was if that failed."""
    with left_undone(world):
        with world.faulty(), with_little_time():
            event, invocations = {"command": "scanAll"}, 0
            for _ in range(PATIENCE):
                with suppress(Exception, Killed):
                    invocations += 1
                    answer = world.lambdas.invoke("doctor", event)
                    if "next" not in answer:
                        break
                    event = {"command": "scanAll", "cursor": answer["next"]}
        assert invocations >= 2


OFTEN = ["a round", "a deadline that is moved near", "a deadline that is moved away", "reminders and an escalation"]
"""The flows of which `make test` runs every call with faults, and of all but the last with another round between calls. Between
them, they make each kind of call but the doctor's. The others take longer.
"""
OTHERS = [flow for flow in FLOWS if flow not in OFTEN]


def in_call_of_its_kind(calls: list[str], number: int, fault: Fault) -> Plan:
    """Plan a fault in the call that had this number in a clean run: the n-th of its kind, as a token's shard is random."""
    before, made = calls[:number].count(calls[number]), Counter[str]()

    def plan(_: int, call: str) -> Fault | None:
        made[call] += 1
        return fault if call == calls[number] and made[call] == before + 1 else None

    return plan


@pytest.fixture(scope="module")
def matrix(stack: MotoStack, figures: Figures) -> Matrix[World]:
    return Matrix(FLOWS, lambda: World(stack), figures, plan=in_call_of_its_kind)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_without_faults_loses_no_timeout(matrix: Matrix[World], flow: str) -> None:
    assert matrix.lost_without_faults(flow) == []


@pytest.mark.parametrize("flow", OFTEN)
def test_no_timeout_is_lost_when_a_call_fails(matrix: Matrix[World], flow: str) -> None:
    assert matrix.lost_in_choice(flow, OFTEN) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("flow", OTHERS)
def test_no_timeout_is_lost_when_a_call_of_a_longer_flow_fails(matrix: Matrix[World], flow: str) -> None:
    assert matrix.lost_in_choice(flow, OTHERS) == {}


@pytest.mark.parametrize("flow", [*TIMERS[:2], DOCTORS[0], pytest.param(DOCTORS[1], marks=pytest.mark.thorough)])
def test_no_timeout_is_lost_when_a_round_gets_no_answer_to_a_kind_of_call(matrix: Matrix[World], flow: str) -> None:
    lost: dict[str, list[str]] = {}
    calls = dict.fromkeys(matrix.clean(flow if flow in DOCTORS else "a round")[0])  # the stream repeats resumes for ever
    for call, fault in product(calls, IN_A_WHOLE_ROUND):

        def in_every(world: World, call: str = call, fault: Fault = fault) -> None:
            world.plan = lambda _, made: fault if made == call else None

        if fault.can_happen_to(call):
            lost |= matrix.lost_with(flow, call, fault, in_every)
    assert lost == {}


@pytest.mark.parametrize(
    "flow", [flow if flow in OFTEN[:3] else pytest.param(flow, marks=pytest.mark.thorough) for flow in FLOWS]
)
def test_no_timeout_is_lost_when_another_round_comes_between_calls(matrix: Matrix[World], flow: str) -> None:
    """Another round of the timers, and in the flows of the doctor another round of the doctor."""
    another = "doctor" if flow in DOCTORS else "start_timers"
    assert matrix.lost_between_calls(flow, lambda world: world.lambdas.invoke(another, {})) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("fault", TOLD_APART, ids=lambda fault: fault.name)
@pytest.mark.parametrize("flow", OFTEN)
def test_no_timeout_is_lost_when_any_call_fails_in_any_way(matrix: Matrix[World], flow: str, fault: Fault) -> None:
    assert matrix.lost_in_any(flow, fault) == {}
