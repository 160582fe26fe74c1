"""Every AWS call of every flow fails, each kind of call in every way, and no resume is lost.

The calls are found by a clean run of each flow, so a call that is added is covered from that day. `make test` runs a choice:
see `covering_choice`. `make thorough` runs every other fault of every call of every flow that can be told apart.
"""

from collections import defaultdict

import pytest

from tests.support.faults.choice import covering_choice
from tests.support.faults.figures import Figures
from tests.support.faults.flows import FLOWS
from tests.support.faults.matrix import Matrix
from tests.support.faults.wire import FAULTS, TOLD_APART, Fault
from tests.support.faults.world import World
from tests.support.in_process.moto_stack import MotoStack


@pytest.fixture(scope="module")
def matrix(stack: MotoStack, figures: Figures) -> Matrix[World]:
    return Matrix(FLOWS, lambda: World(stack), figures)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_without_faults_loses_nothing(matrix: Matrix[World], flow: str) -> None:
    assert matrix.lost_without_faults(flow) == []


@pytest.mark.parametrize("flow", FLOWS)
def test_nothing_is_lost_when_a_call_fails(matrix: Matrix[World], flow: str) -> None:
    assert matrix.lost_in_choice(flow, FLOWS) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("fault", TOLD_APART, ids=lambda fault: fault.name)
@pytest.mark.parametrize("flow", FLOWS)
def test_nothing_is_lost_when_any_call_fails_in_any_way(matrix: Matrix[World], flow: str, fault: Fault) -> None:
    assert matrix.lost_in_any(flow, fault, but=matrix.choice(FLOWS)) == {}


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
