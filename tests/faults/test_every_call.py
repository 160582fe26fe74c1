"""Every AWS call of every flow fails, each kind of call in every way, and no resume is lost.

The calls are found by a clean run of each flow, so a call that is added is covered from that day. `make test` runs a choice:
see `covering_choice`. `make thorough` runs every other fault of every call of every flow that can be told apart.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import cache

import pytest

from tests.faults.conftest import Figures
from tests.support.faults.choice import SEED, Place, chosen_for, covering_choice
from tests.support.faults.flows import FLOWS
from tests.support.faults.wire import FAULTS, TOLD_APART, Fault
from tests.support.faults.world import World
from tests.support.in_process.moto_stack import MotoStack


def run(stack: MotoStack, flow: str, fault: Fault | None = None, number: int = -1) -> tuple[list[str], list[str]]:
    """Run a flow with a fault in one of its calls. Returns its calls and the lost promises."""
    world = World(stack)
    world.plan = lambda place, _: fault if place == number else None
    with world.alive():
        FLOWS[flow](world)
        return world.wire.calls, world.lost()


@pytest.fixture(scope="module")
def clean_run(stack: MotoStack) -> Callable[[str], tuple[list[str], list[str]]]:
    """Run a flow without faults, once."""
    return cache(lambda flow: run(stack, flow))


@pytest.fixture(scope="module")
def choice(clean_run: Callable[[str], tuple[list[str], list[str]]], figures: Figures) -> dict[Place, list[Fault]]:
    figures.seed = SEED
    return covering_choice({flow: clean_run(flow)[0] for flow in FLOWS}, SEED)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_without_faults_loses_nothing(
    clean_run: Callable[[str], tuple[list[str], list[str]]], figures: Figures, flow: str
) -> None:
    calls, lost = clean_run(flow)
    assert calls
    assert lost == []
    figures.flows[flow] = calls


@pytest.mark.parametrize("flow", FLOWS)
def test_nothing_is_lost_when_a_call_fails(
    stack: MotoStack, figures: Figures, choice: dict[Place, list[Fault]], flow: str
) -> None:
    chosen = chosen_for(flow, choice)
    assert chosen
    lost = {}
    for number, fault in chosen:
        figures.tried[fault.name] += 1
        if problems := run(stack, flow, fault, number)[1]:
            lost[f"call {number}, {fault.name}"] = problems
    figures.lost += len(lost)
    assert lost == {}


@pytest.mark.thorough
@pytest.mark.parametrize("fault", TOLD_APART, ids=lambda fault: fault.name)
@pytest.mark.parametrize("flow", FLOWS)
def test_nothing_is_lost_when_any_call_fails_in_any_way(
    stack: MotoStack,
    clean_run: Callable[[str], tuple[list[str], list[str]]],
    figures: Figures,
    choice: dict[Place, list[Fault]],
    flow: str,
    fault: Fault,
) -> None:
    lost = {}
    for number, call in enumerate(clean_run(flow)[0]):
        if not fault.can_happen_to(call) or fault in choice[flow, number]:
            continue
        figures.tried[fault.name] += 1
        if problems := run(stack, flow, fault, number)[1]:
            lost[f"call {number}, {call}"] = problems
    figures.lost += len(lost)
    assert lost == {}


class TestTheChoice:
    FLOWS = {  # noqa: RUF012
        "one": ["dynamodb.PutItem", "dynamodb.TransactWriteItems"],
        "another": ["dynamodb.PutItem", "sqs.SendMessage"] * 10,
    }

    def test_has_a_fault_for_every_call_of_every_flow(self) -> None:
        chosen = covering_choice(self.FLOWS, seed=1)
        assert set(chosen) == {(flow, number) for flow, calls in self.FLOWS.items() for number in range(len(calls))}
        assert all(chosen.values())

    def test_has_each_fault_for_each_kind_of_call(self) -> None:
        met = defaultdict(set)
        for (flow, number), faults in covering_choice(self.FLOWS, seed=1).items():
            met[self.FLOWS[flow][number]].update(faults)
        assert met == {call: {fault for fault in FAULTS if fault.can_happen_to(call)} for call in met}

    def test_is_the_same_for_the_same_seed(self) -> None:
        assert covering_choice(self.FLOWS, seed=1) == covering_choice(self.FLOWS, seed=1) != covering_choice(self.FLOWS, seed=2)
