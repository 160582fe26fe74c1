"""A completion and the timer in the same millisecond, in thousands of orders: every waiter gets the same outcome.

The two look at the clock on either side of the timeout, so both may go ahead; a waiter comes in between. Their calls to
the table are put into an order by chance, which its seed repeats.
"""

import random
from collections import Counter
from typing import Any

import pytest

from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import client_of
from tests.support.in_process.settling import complete
from tests.support.in_process.world import FakeResumers
from tests.support.turns import StoreInTurns, Turns
from waitpoints.aws.services.outputs import Outputs
from waitpoints.aws.store import Store
from waitpoints.resumer import Resumer
from waitpoints.token import NewToken, Status, Waiter
from waitpoints.tokens import Tokens

START = 1_800_000_000_000
TIMEOUT = START + 60_000
OUTPUT = '{"approved":true}'


def one_outcome(store: Store, seed: int) -> Status:
    """Run one order to its end. Returns the outcome that every waiter got."""
    chance = random.Random(seed)  # noqa: S311
    turns, step_functions = Turns(seed), FakeStepFunctions()
    in_turns: Any = StoreInTurns(store, turns)
    client: Any = step_functions

    def tokens(now: int, store: Any = in_turns) -> Tokens:
        outputs, clock = Outputs(lambda: client_of("s3"), "none is large"), lambda: now
        resumer = Resumer(store, outputs, FakeResumers(client), clock, parallel=2)
        return Tokens(store, outputs, resumer, clock)

    def waiter() -> Waiter:
        return Waiter(step_functions.start_task(), START)

    first, second = waiter(), waiter()
    token_id = tokens(START, store).create(NewToken(timeout_at=TIMEOUT, waiter=first), START).token_id
    before, after = TIMEOUT - 1, TIMEOUT
    turns.play(
        [
            lambda: complete(tokens(before), token_id, OUTPUT),
            lambda: tokens(after).expire(token_id),
            lambda: tokens(chance.choice([before, after])).wait(token_id, second),
        ]
    )
    tokens(after, store).resume_waiters(token_id)  # the stream's guarantee
    token = store.get(token_id)
    assert token.outcome is not None
    assert token.unresumed() == []
    for one in (first, second):
        assert step_functions.value(one.handle)["ok"] is (token.outcome.status is Status.COMPLETED)
    return token.outcome.status


@pytest.mark.slow
@pytest.mark.parametrize("share", [pytest.param(5, marks=pytest.mark.few), pytest.param(1, marks=pytest.mark.thorough)])
def test_a_completion_and_the_timer_in_one_millisecond_give_every_waiter_the_same_outcome(store: Store, share: int) -> None:
    rounds = 3000 // share
    outcomes = Counter(one_outcome(store, seed) for seed in range(rounds))
    assert set(outcomes) == {Status.COMPLETED, Status.TIMED_OUT}
    assert min(outcomes.values()) > rounds / 10, "the orders were all alike"
