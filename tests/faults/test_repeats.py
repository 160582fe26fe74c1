"""Every event can come many times: AWS sends it at least once, and HTTP callers retry."""

from dataclasses import replace

import pytest

from tests.support.faults.aws import client
from tests.support.faults.flows import FLOWS
from tests.support.faults.world import World
from tests.support.in_process.moto_stack import MotoStack
from waitpoints.wiring import services

CHOSEN = [  # between them, every kind of event of every function
    "create with both keys",
    "create in a state that waits until the timeout",
    "create in a state that joins a completed token",
    "callback for three waiters",
    "callback with a large payload",
    "complete past the timeout",
    "complete by key what has a schema",
    "complete by key in a state",
    "complete by key then create then wait",
    "create in a state what is completed",
    "delivery to an endpoint",
    "delivery to an endpoint that comes first",
    "delete endpoint",
    "choose on a page",
    "look at a page",
    "wait past the timeout",
    "delay a timer that comes early",
    "resume",
]


def state_of(world: World, token_ids: list[str]) -> tuple[list[object], object]:
    """Tokens with their outcomes, waiters and replies, and the result of every wait. Late deliveries do count."""
    tokens = [services.tokens.retrieve(token_id) for token_id in token_ids]
    return [replace(token, other_deliveries=None) for token in tokens], [waits.results() for waits in world.waits.values()]


@pytest.mark.parametrize("times", [pytest.param(3, marks=pytest.mark.few), pytest.param(30, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("flow", CHOSEN)
def test_handling_every_event_many_times_changes_nothing(stack: MotoStack, flow: str, times: int) -> None:
    """A create without a key makes a new token each time; only the existing tokens must not change."""
    world = World(stack)
    with world.alive():
        FLOWS[flow](world)
        world.come_to_rest()
        token_ids = world.token_ids()
        before = state_of(world, token_ids)
        for name, event in list(world.lambdas.events):
            for _ in range(times):
                world.lambdas.invoke(name, event)
        world.come_to_rest()
        assert state_of(world, token_ids) == before
        assert "Messages" not in client("sqs").receive_message(QueueUrl=world.dead_letter_queue)
