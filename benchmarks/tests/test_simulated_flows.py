"""The flows of the simulation are the calls that the code makes: the same operations, in order, with the same write units."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.simulation import flows
from benchmarks.simulation.flows import Call
from in_process.counting import meter
from in_process.counting.waits import Bench, Wait, bench
from in_process.moto_stack import MotoStack
from waitpoints.errors import CannotResumeNow
from waitpoints.wiring import services


@pytest.fixture(scope="module")
def counted(stack: MotoStack) -> Iterator[Bench]:
    with bench(stack) as counted:
        yield counted


def modelled(calls: Sequence[meter.Call]) -> list[Call]:
    """What the code did, as the model says it."""
    return [
        Call(
            call.operation,
            token=sum(units for name, units in call.units_of.items() if name.startswith("waitpoint_")),
            key=sum(units for name, units in call.units_of.items() if name.startswith("idempotency#")),
            list_index=call.units_of["list"],
            key_index=call.units_of["idempotencyKey"],
            marks=call.units_of["undelivered"],
            reads=call.read_units,
        )
        for call in calls
    ]


def test_the_steps_of_a_wait(counted: Bench) -> None:
    wait = counted.wait(timeout="24h")
    assert {step.name: modelled(step.calls) for step in wait.steps} == {
        name: list(flow) for name, flow in flows.COMPLETED_WAIT.items()
    }


def test_a_timeout(counted: Bench) -> None:
    wait = counted.wait(timeout="10m", ends=False)
    assert modelled(wait["timer, due"].calls) == list(flows.TIME_OUT)


def test_a_create_with_a_key_and_the_next_one(counted: Bench) -> None:
    counted.meter.take()
    counted.api.create(idempotencyKey="simulated")
    assert modelled(counted.meter.take()) == list(flows.CREATE_WITH_KEY)
    counted.api.create(idempotencyKey="simulated")
    assert modelled(counted.meter.take()) == list(flows.CREATE_AGAIN)


def test_a_callback_that_is_late(counted: Bench) -> None:
    token = counted.api.create()
    counted.api.post(token["url"], "1", {})
    counted.meter.take()
    counted.api.post(token["url"], "1", {})
    assert modelled(counted.meter.take()) == list(flows.LATE_CALLBACK)


@pytest.mark.parametrize(("resumed", "left"), [(2, 0), (1, 1)], ids=["nothing left to do", "one to repair"])
def test_the_guarantee_of_a_batch(counted: Bench, monkeypatch: pytest.MonkeyPatch, resumed: int, left: int) -> None:
    """`left` records are of waiters that Step Functions throttled."""
    stream = counted.stream()
    for number in range(resumed + left):
        token = counted.api.create()
        counted.register(Wait(), token["id"])
        with monkeypatch.context() as throttled:
            if number >= resumed:
                throttled.setattr(services.step_functions, "resume", throttle)
            assert counted.api.post(token["url"], "1", {}).status == 200
    counted.meter.take()
    counted.guarantee(wait := Wait(), stream)
    expected = [replace(flows.GUARANTEE, reads=flows.GUARANTEE.reads * (resumed + left)), *flows.REPAIR * left]
    assert modelled(wait["guarantee"].calls) == expected


def throttle(*_: Any) -> None:
    raise CannotResumeNow("ThrottlingException")
