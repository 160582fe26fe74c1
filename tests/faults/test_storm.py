"""For a while half of all calls fail in random ways. When the failures end, nothing is lost."""

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.faults.aws import unique
from tests.support.faults.callers import Execution
from tests.support.faults.figures import Figures
from tests.support.faults.flows import HOUR, LARGE, SMALL
from tests.support.faults.wire import FAULTS, Fault
from tests.support.faults.world import Timeout, World
from tests.support.in_process.moto_stack import MotoStack

FAULT_RATE = 0.3
OPTIONS = [{}, {"timeout": "10m"}, {"timeout": "3h"}, {"idempotencyKey": "order"}, {"idempotencyKey": "order", "timeout": "1h"}]


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(5, 12))])
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
        world.deliver(token, chance.choice([SMALL, LARGE]))

    def create(key: str) -> None:
        token = world.create(idempotencyKey=key, timeout="3h")
        for unwrap in (False, True):
            wait(token, unwrap)

    def meet(number: int) -> None:
        """A create, a completion by key and two deliveries to an endpoint, in any order."""
        key = f"{endpoint['name']}:{number}"
        things: list[Callable[[], object]] = [
            partial(create, key),
            partial(world.complete_by_key, key, chance.choice([SMALL, LARGE])),
            partial(world.deliver, endpoint, json.dumps({"id": number, "text": "first"})),
            partial(world.deliver, endpoint, json.dumps({"id": number, "text": "second"})),
        ]
        chance.shuffle(things)
        for thing in things:
            thing()

    executions: list[tuple[Execution, dict[str, Any], bool]] = []
    world.plan, world.outcomes_are_open = plan, True
    with world.alive():
        with world.faulty():
            endpoint = world.put_endpoint()
            for _ in range(4):
                options = dict(chance.choice(OPTIONS))
                if "idempotencyKey" in options:
                    options["idempotencyKey"] = unique("order")
                token = world.create(request_key=unique("call"), **options)
                things: list[Callable[[], object]] = [partial(wait, token, unwrap) for unwrap in (False, True, False)]
                if "idempotencyKey" in options:
                    things.append(partial(world.complete_by_key, options["idempotencyKey"], "2"))
                things += [
                    partial(call_back, token),
                    partial(world.complete, token, "1"),
                    world.come_to_rest,
                    lambda: world.clock.advance(seconds=chance.choice([1, 300, 600])),
                ]
                chance.shuffle(things)
                for thing in things[: chance.randint(3, len(things))]:
                    thing()
            for number in range(3):
                meet(number)
        world.advance(3 * HOUR)
        for execution, token, unwrap in executions:
            world.deliver(token, SMALL)
            world.come_to_rest()
            world.expect(execution, token, Timeout(), unwrap)
        lost = world.lost()
    figures.storms[seed] = tried
    figures.lost += bool(lost)
    assert lost == []
    assert tried
