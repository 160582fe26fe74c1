"""A burst of callbacks while Step Functions throttles: nothing is lost, and executions go on as the model predicts."""

from pathlib import Path

import pytest
from waitpoints_client import Token

from benchmarks.throttled_burst import QUOTA, WAITS, Compared, compare, measure
from local.stack import Stack

TIMES, LAGS = 1.3, 1.6  # how far a measured time, or the mean lag, may be from the predicted one, as a ratio


@pytest.fixture(scope="module")
def tokens(stack: Stack, stack_folder: Path) -> list[Token]:
    """The tokens after the burst, each of an execution that has gone on with its callback's body."""
    return measure(stack, stack_folder)


@pytest.fixture(scope="module")
def compared(tokens: list[Token]) -> Compared:
    return compare(tokens)


def test_no_execution_is_lost(tokens: list[Token]) -> None:
    assert [waiter.status for token in tokens for waiter in token.waiters] == ["RESUMED"] * WAITS


def test_no_more_executions_go_on_than_the_quota_lets(compared: Compared) -> None:
    assert all(place <= QUOTA.burst + QUOTA.rate * (at + 1) for place, at in enumerate(compared.measured.resumed))


def test_executions_go_on_when_the_model_says(compared: Compared) -> None:
    assert all(1 / TIMES < measured / predicted < TIMES for measured, predicted in compared.times()), compared.times()


def test_they_are_as_late_as_the_model_says(compared: Compared) -> None:
    measured, predicted = compared.mean_lags()
    assert 1 / LAGS < measured / predicted < LAGS, (measured, predicted)
