"""Another caller acts on the same tokens before or after any call of a flow, and nothing is lost.

This is every interleaving of a flow with one whole other thing. Those of two flows' calls are the races' business.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.faults.figures import Figures
from tests.support.faults.flows import CHOSEN, DECISIONS, FLOWS, HOUR, KEYED, REJECTED
from tests.support.faults.world import Timeout, World
from tests.support.in_process.moto_stack import MotoStack

OTHERS: dict[str, Callable[[World], None]] = {}
OTHERS_OF_AWS: list[str] = []
OTHERS_WITH_THE_KEY: list[str] = []
OTHERS_IN_A_DECISION: list[str] = []


def other(action: Callable[[World], None]) -> Callable[[World], None]:
    OTHERS[action.__name__.replace("_", " ")] = action
    return action


def other_of_aws(action: Callable[[World], None]) -> Callable[[World], None]:
    OTHERS_OF_AWS.append(action.__name__.replace("_", " "))
    return other(action)


def other_with_the_key(action: Callable[[World], None]) -> Callable[[World], None]:
    OTHERS_WITH_THE_KEY.append(action.__name__.replace("_", " "))
    return other(action)


def other_in_a_decision(action: Callable[[World], None]) -> Callable[[World], None]:
    OTHERS_IN_A_DECISION.append(action.__name__.replace("_", " "))
    return other(action)


@other_of_aws
def the_stream_and_the_timers_come(world: World) -> None:
    world.come_to_rest()


@other
def another_callback_comes(world: World) -> None:
    for token in world.tokens:
        world.callback(token, '"another"', status=None)  # a token with rules may refuse it


@other
def a_callback_comes_by_a_clock_that_is_behind(world: World) -> None:
    world.clock.advance(seconds=-2)
    another_callback_comes(world)
    world.clock.advance(seconds=2)


@other
def another_execution_waits(world: World) -> None:
    for token in world.tokens:
        world.expect(world.wait(token), token, Timeout())


@other_of_aws
def the_timeout_passes(world: World) -> None:
    world.come_to_rest()
    world.pass_time(world.clock() + HOUR)


@other_with_the_key
def another_completion_by_key_comes(world: World) -> None:
    for key in world.keys:
        world.complete_by_key(key, '"another"', status=None)  # a token with a schema refuses it


@other_with_the_key
def another_create_with_the_key_comes(world: World) -> None:
    for key in world.keys:
        token = world.create(idempotencyKey=key, tags=["another"])
        world.expect(world.wait(token), token, Timeout())


@other_in_a_decision
def another_person_answers(world: World) -> None:
    for token in world.tokens:
        world.answer(token, "dee", CHOSEN)


@other_in_a_decision
def another_person_decides(world: World) -> None:
    for token in world.tokens:
        world.answer(token, "bo", REJECTED)


@other_in_a_decision
def the_api_key_completes_it(world: World) -> None:
    for token in world.tokens:
        world.complete(token, REJECTED)


def may_come(action: str, flow: str) -> bool:
    if action in OTHERS_WITH_THE_KEY:
        return flow in KEYED
    return action not in OTHERS_IN_A_DECISION or flow in DECISIONS


def pair(flow: str, action: str) -> Any:
    """What concerns no decision in particular is left to the other flows, but in `make thorough`."""
    is_left = flow in DECISIONS and action not in (*OTHERS_IN_A_DECISION, "the timeout passes")
    return pytest.param(flow, action, marks=[pytest.mark.thorough] if is_left else [])


Places = Callable[[str, str], list[tuple[int, str]]]


@pytest.fixture(scope="module")
def places(stack: MotoStack) -> Places:
    """Where an action finds what it is about, in a run without it.

    After one call is before the next, so a flow of n calls has at most n + 1 places.

    AWS acts on what is in the table, so anywhere. A caller acts on tokens and keys that were given out: before, the flow goes
    on as if nobody had come. The last place is always one.
    """

    def places_in(flow: str, action: str) -> list[tuple[int, str]]:
        world, found = World(stack), []

        def look(number: int, when: str) -> None:
            known = world.keys if action in OTHERS_WITH_THE_KEY else world.tokens
            if known or action in OTHERS_OF_AWS:
                found.append((number, when))

        world.meanwhile = look
        with world.alive():
            FLOWS[flow](world)
        last = len(world.wire.calls) - 1
        return [place for place in found if place[1] == "before"] + [(last, "after")]

    return places_in


@pytest.mark.parametrize(
    ("flow", "action"), [pair(flow, action) for flow in FLOWS for action in OTHERS if may_come(action, flow)]
)
def test_nothing_is_lost_when_another_caller_acts_between_calls(
    stack: MotoStack, figures: Figures, places: Places, flow: str, action: str
) -> None:
    lost: dict[str, list[str]] = {}
    for place in places(flow, action):
        world = World(stack)
        world.outcomes_are_open = True

        def act(*now: object, world: World = world, place: object = place) -> None:
            if now == place:
                with world.lambdas.unwatched():
                    OTHERS[action](world)

        world.meanwhile = act
        with world.alive():
            FLOWS[flow](world)
            for token in world.tokens:  # so that no execution keeps waiting
                world.callback(token, '"in the end"')
            world.come_to_rest()
            problems = world.lost()
        figures.interleaved += 1
        if problems:
            lost[" ".join(map(str, place))] = problems
    figures.lost += len(lost)
    assert lost == {}
