"""Another caller acts on the same tokens before or after any call of a flow, and nothing is lost.

This is every interleaving of a flow with one whole other thing. Those of two flows' calls are the races' business.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.support.faults.figures import Figures
from tests.support.faults.flows import CHOSEN, DECISIONS, FLOWS, HOUR, KEYED, REJECTED
from tests.support.faults.matrix import Matrix, Moment
from tests.support.faults.world import Timeout, World
from tests.support.in_process.moto_stack import MotoStack

OTHERS: dict[str, Callable[[World], None]] = {}
OF_AWS: list[str] = []
WITH_THE_KEY: list[str] = []
IN_A_DECISION: list[str] = []


def other(*groups: list[str]) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """An action of another caller, in these groups."""

    def add(action: Callable[[World], None]) -> Callable[[World], None]:
        name = action.__name__.replace("_", " ")
        OTHERS[name] = action
        for group in groups:
            group.append(name)
        return action

    return add


@other(OF_AWS)
def the_stream_and_the_timers_come(world: World) -> None:
    world.come_to_rest()


@other()
def another_callback_comes(world: World) -> None:
    for token in world.tokens:
        world.deliver(token, '"another"', status=None)  # a token with rules may refuse it


@other()
def a_callback_comes_by_a_clock_that_is_behind(world: World) -> None:
    world.clock.advance(seconds=-2)
    another_callback_comes(world)
    world.clock.advance(seconds=2)


@other()
def another_execution_waits(world: World) -> None:
    for token in world.tokens:
        world.expect(world.wait(token), token, Timeout())


@other(OF_AWS)
def the_timeout_passes(world: World) -> None:
    world.come_to_rest()
    world.advance(HOUR)


@other(WITH_THE_KEY)
def another_completion_by_key_comes(world: World) -> None:
    for key in world.keys:
        world.complete_by_key(key, '"another"', status=None)  # a token with a schema refuses it


@other(WITH_THE_KEY)
def another_create_with_the_key_comes(world: World) -> None:
    for key in world.keys:
        token = world.create(idempotencyKey=key, tags=["another"])
        world.expect(world.wait(token), token, Timeout())


@other(IN_A_DECISION)
def another_person_answers(world: World) -> None:
    for token in world.tokens:
        world.answer(token, "dee", CHOSEN)


@other(IN_A_DECISION)
def another_person_decides(world: World) -> None:
    for token in world.tokens:
        world.answer(token, "bo", REJECTED)


@other(IN_A_DECISION)
def the_api_key_completes_it(world: World) -> None:
    for token in world.tokens:
        world.complete(token, REJECTED)


def may_come(action: str, flow: str) -> bool:
    if action in WITH_THE_KEY:
        return flow in KEYED
    return action not in IN_A_DECISION or flow in DECISIONS


def pair(flow: str, action: str) -> Any:
    """What concerns no decision in particular is left to the other flows, but in `make thorough`."""
    is_left = flow in DECISIONS and action not in (*IN_A_DECISION, "the timeout passes")
    return pytest.param(flow, action, marks=[pytest.mark.thorough] if is_left else [])


@pytest.fixture(scope="module")
def matrix(stack: MotoStack, figures: Figures) -> Matrix[World]:
    return Matrix(FLOWS, lambda: World(stack), figures)


@pytest.fixture(scope="module")
def places(matrix: Matrix[World]) -> Callable[[str, str], list[Moment]]:
    """Where an action finds what it is about, in a run of a flow without it.

    After one call is before the next, so a flow of n calls has at most n + 1 places.

    AWS acts on what is in the table, so anywhere. A caller acts on tokens and keys that were given out: before, the flow goes
    on as if nobody had come. The last place is always one.
    """

    @cache
    def look(flow: str) -> tuple[list[tuple[Moment, bool, bool]], int]:
        """What was given out before and after each call of a flow, and how many calls it makes."""
        found: list[tuple[Moment, bool, bool]] = []

        def prepare(world: World) -> None:
            world.meanwhile = lambda *moment: found.append((moment, bool(world.tokens), bool(world.keys)))

        calls, _ = matrix.run(flow, prepare)
        return found, len(calls)

    def places(flow: str, action: str) -> list[Moment]:
        found, calls = look(flow)
        before = [moment for moment, *given in found if moment[1] == "before" and finds_something(action, *given)]
        return [*before, (calls - 1, "after")]

    return places


def finds_something(action: str, has_tokens: bool, has_keys: bool) -> bool:
    return action in OF_AWS or (has_keys if action in WITH_THE_KEY else has_tokens)


def come_to_an_end(world: World) -> None:
    for token in world.tokens:  # so that no execution keeps waiting
        world.deliver(token, '"in the end"')
    world.come_to_rest()


@pytest.mark.parametrize(
    ("flow", "action"), [pair(flow, action) for flow in FLOWS for action in OTHERS if may_come(action, flow)]
)
def test_nothing_is_lost_when_another_caller_acts_between_calls(
    matrix: Matrix[World], places: Callable[[str, str], list[Moment]], flow: str, action: str
) -> None:
    assert matrix.lost_between_calls(flow, OTHERS[action], places(flow, action), come_to_an_end) == {}
