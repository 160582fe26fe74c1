"""For a while half of all calls fail in random ways. When the failures end, nothing is lost."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from in_process.moto_stack import MotoStack
from tests.faults.aws import unique
from tests.faults.callers import Execution
from tests.faults.conftest import Figures
from tests.faults.flows import HOUR, LARGE, SMALL
from tests.faults.wire import FAULTS, Fault
from tests.faults.world import Timeout, World

FAULT_RATE = 0.3
OPTIONS = [{}, {"timeout": "10m"}, {"timeout": "3h"}, {"idempotencyKey": "order"}, {"idempotencyKey": "order", "timeout": "1h"}]


@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_lost_in_a_storm(stack: MotoStack, figures: Figures, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    world = World(stack)
    tried = 0

    def plan(_: int, call: str) -> Fault | None:
        nonlocal tried
        possible = [fault for fault in FAULTS if fault.can_happen_to(call)]
        if chance.random() >= FAULT_RATE:
            return None
        tried += 1
        return chance.choice(possible)

    def wait(token: dict[str, Any], unwrap: bool) -> None:
        executions.append((world.wait(token, unwrap), token, unwrap))

    def call_back(token: dict[str, Any]) -> None:
        world.callback(token, chance.choice([SMALL, LARGE]))

    executions: list[tuple[Execution, dict[str, Any], bool]] = []
    world.plan, world.outcomes_are_open = plan, True
    with world.alive():
        with world.faulty():
            for _ in range(4):
                options = dict(chance.choice(OPTIONS))
                if "idempotencyKey" in options:
                    options["idempotencyKey"] = unique("order")
                token = world.create(request_key=unique("call"), **options)
                things: list[Callable[[], object]] = [partial(wait, token, unwrap) for unwrap in (False, True, False)]
                things += [
                    partial(call_back, token),
                    partial(world.complete, token, "1"),
                    world.come_to_rest,
                    lambda: world.clock.advance(seconds=chance.choice([1, 300, 600])),
                ]
                chance.shuffle(things)
                for thing in things[: chance.randint(3, len(things))]:
                    thing()
        world.pass_time(world.clock() + 3 * HOUR)
        for execution, token, unwrap in executions:
            world.callback(token, SMALL)
            world.come_to_rest()
            world.expect(execution, token, Timeout(), unwrap)
        lost = world.lost()
    figures.storms[seed] = tried
    figures.lost += bool(lost)
    assert lost == []
    assert tried
