"""Every AWS call of every flow fails in every way, and no resume is lost.

The calls are found by a clean run of the flow, so a call that is added is covered from that day.
"""

import pytest

from in_process.moto_stack import MotoStack
from tests.faults.conftest import Figures
from tests.faults.flows import FLOWS
from tests.faults.wire import FAULTS, Fault
from tests.faults.world import World


def run(stack: MotoStack, flow: str, fault: Fault | None = None, number: int = -1) -> tuple[list[str], list[str]]:
    """Run a flow with a fault in one of its calls. Returns its calls and the lost promises."""
    world = World(stack)
    world.plan = lambda place, _: fault if place == number else None
    with world.alive():
        FLOWS[flow](world)
        return world.wire.calls, world.lost()


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_without_faults_loses_nothing(stack: MotoStack, figures: Figures, flow: str) -> None:
    calls, lost = run(stack, flow)
    assert calls
    assert lost == []
    figures.flows[flow] = calls


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("flow", FLOWS)
def test_nothing_is_lost_when_a_call_fails(stack: MotoStack, figures: Figures, flow: str, fault: Fault) -> None:
    calls = figures.flows.get(flow) or run(stack, flow)[0]
    lost = {}
    for number, call in enumerate(calls):
        if not fault.can_happen_to(call):
            continue
        figures.tried[fault.name] += 1
        _, problems = run(stack, flow, fault, number)
        if problems:
            lost[f"call {number}, {call}"] = problems
    figures.lost += len(lost)
    assert lost == {}
