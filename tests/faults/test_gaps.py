"""Cases that no single fault produces."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.support.faults.aws import unique
from tests.support.faults.flows import SMALL
from tests.support.faults.wire import FAULTS, Fault, cancels
from tests.support.faults.world import Timeout, World
from tests.support.in_process.fakes.waits import DENIED, LOST_RESPONSE, THROTTLED
from tests.support.in_process.fakes.waits import Fault as ResumeFault
from tests.support.in_process.moto_stack import MotoStack
from waitpoints.token import MAX_WAITERS, WaiterKind


@pytest.fixture
def world(stack: MotoStack) -> Iterator[World]:
    world = World(stack)
    with world.alive():
        yield world


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
@pytest.mark.parametrize("conflicts", [1, 6])
def test_a_create_that_conflicts_with_others_on_its_key_succeeds(world: World, code: str, conflicts: int) -> None:
    """DynamoDB cancels transactions that conflict on an item. The function retries; the caller need not."""
    fault = Fault("meets others", lambda *_: cancels(code))
    seen = []

    def plan(_: int, call: str) -> Fault | None:
        seen.append(call)
        return fault if call.endswith("TransactWriteItems") and seen.count(call) <= conflicts else None

    world.plan = plan
    with world.faulty():
        token = world.create(idempotencyKey=unique("order"))
    assert not token["isCached"]
    assert [name for name, _ in world.lambdas.events] == ["create_token"]
    assert seen.count("dynamodb.TransactWriteItems") == conflicts + 1


@pytest.mark.parametrize("options", [{}, {"idempotencyKey": "order"}])
def test_a_create_whose_dynamodb_answer_was_lost_is_reported_as_new(world: World, options: dict[str, str]) -> None:
    """botocore retries the write, and the first attempt's own item makes the retry fail."""
    [lost_once] = [fault for fault in FAULTS if fault.name == "answer lost once"]
    world.plan = lambda _, call: lost_once if call.startswith("dynamodb.") else None
    with world.faulty():
        token = world.create(**options)
    assert not token["isCached"]
    assert [name for name, _ in world.lambdas.events] == ["create_token"]
    assert world.token_ids() == [token["id"]]


def test_a_completion_by_key_whose_dynamodb_answer_was_lost_is_reported_as_kept(world: World) -> None:
    [lost_once] = [fault for fault in FAULTS if fault.name == "answer lost once"]
    world.plan = lambda _, call: lost_once if call.endswith("TransactWriteItems") else None
    with world.faulty():
        completed = world.complete_by_key("order", SMALL)
    assert completed == {"success": True, "settled": False, "id": world.token_ids()[0], "created": True}
    assert [name for name, _ in world.lambdas.events] == ["complete_by_key"]
    assert len(world.token_ids()) == 1


def test_a_clock_set_back_during_a_call_does_not_lose_a_late_callback(world: World) -> None:
    """The callback finds the token due; by its next reading of the clock the token would be waiting again."""
    token = world.create(timeout="10m")
    execution = world.wait(token)
    world.clock.advance(seconds=600)
    world.clock.slips = 1
    world.deliver(token, SMALL)
    world.clock.slips = 0
    world.expect(execution, token, Timeout())
    assert world.lost() == []


def test_a_clock_set_back_during_a_call_does_not_lose_a_late_waiter(world: World) -> None:
    token = world.create(timeout="10m")
    world.clock.advance(600_001)  # the function reads the clock once for the waiter, once for the token
    world.clock.slips = 1
    execution = world.wait(token)
    world.clock.slips = 0
    world.expect(execution, token, Timeout())
    assert world.lost() == []


def test_a_function_with_a_slow_clock_keeps_the_outcome_of_one_with_a_fast_clock(world: World) -> None:
    token = world.create(timeout="10m")
    early = world.wait(token)
    world.clock.advance(seconds=600)
    world.deliver(token, SMALL)  # by this function's clock the token has timed out
    world.clock.advance(seconds=-2)
    late = world.wait(token)
    world.deliver(token, SMALL)
    world.come_to_rest()
    for execution in (early, late):
        world.expect(execution, token, Timeout())
    assert world.lost() == []


def test_each_of_a_hundred_waiters_is_resumed_whatever_happens_to_the_others(world: World) -> None:
    token = world.create()
    executions = [world.wait(token) for _ in range(MAX_WAITERS)]
    for number, execution in enumerate(executions):
        if number % 3:
            fault = THROTTLED if number % 3 == 1 else LOST_RESPONSE
            execution.waits.fail_next(fault, times=3, handle=execution.handles[-1])
    world.deliver(token, SMALL)
    results = [result for waits in world.waits.values() for result in waits.results().values()]
    assert sum(result is not None for result in results) < MAX_WAITERS
    world.somebody_died = True  # after a lost answer, the retry gets "gone"
    world.come_to_rest()
    for execution in executions:
        world.expect(execution, token, SMALL)
    assert world.lost() == []


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (WaiterKind.STEP_FUNCTIONS, "AccessDeniedException"),
        (WaiterKind.STEP_FUNCTIONS, "KmsAccessDeniedException"),
        (WaiterKind.STEP_FUNCTIONS, "KmsInvalidStateException"),
        (WaiterKind.DURABLE_FUNCTION, "AccessDeniedException"),
        (WaiterKind.DURABLE_FUNCTION, "KMSDisabledException"),
    ],
)
def test_a_permanent_failure_is_dead_lettered_and_delays_no_other_waiter(world: World, kind: WaiterKind, code: str) -> None:
    tokens = [world.create() for _ in range(3)]
    executions = [world.wait(token, waits=world.waits[kind]) for token in tokens]
    refused = ResumeFault(lambda operation: ClientError({"Error": {"Code": code}}, operation))
    world.waits[kind].fail_next(refused, times=1_000, handle=executions[1].handles[-1])
    for token in tokens:
        with world.without_fast_path():
            world.deliver(token, SMALL)
    world.come_to_rest()
    assert world.dead_letters() == [(tokens[1]["id"], code)]
    world.expect(executions[0], tokens[0], SMALL)
    world.expect(executions[2], tokens[2], SMALL)
    assert world.lost() == [f"{tokens[1]['id']} has 1 waiters without a record"]


def test_a_permanent_failure_that_is_left_alone_is_dead_lettered_once(world: World) -> None:
    token = world.create()
    denied, throttled = world.wait(token), world.wait(token)
    denied.waits.fail_next(DENIED, times=1_000, handle=denied.handles[-1])
    throttled.waits.fail_next(THROTTLED, times=12, handle=throttled.handles[-1])
    world.deliver(token, SMALL)
    world.come_to_rest()
    assert world.dead_letters() == [(token["id"], "AccessDeniedException")]
    world.expect(throttled, token, SMALL)
    assert world.lost() == [f"{token['id']} has 1 waiters without a record"]


@pytest.mark.parametrize("kind", WaiterKind)
def test_a_refusal_reaches_the_execution_even_when_aws_throttles(world: World, kind: WaiterKind) -> None:
    """The state or step is retried by its Retry, and then fails with the name of the refusal."""
    waits = world.waits[kind]
    waits.fail_next(THROTTLED, times=3)
    execution = world.run_wait("wait_for_token", {"waitpointId": "waitpoint_01mcc5rm00hh7k2v9q3w8x5n4t"}, waits)
    errors = [getattr(waits.result(handle), "error", None) for handle in execution.handles]
    assert errors == {WaiterKind.STEP_FUNCTIONS: [None, "TokenNotFound"]}.get(kind, ["TokenNotFound"])
