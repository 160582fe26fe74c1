"""docs/costs.md has what `make costs` counts."""

import re

import pytest

from benchmarks import costs
from benchmarks.page import read
from benchmarks.waits import bench
from in_process.moto_stack import MotoStack

IS_DOLLARS = re.compile(r"^\|.*\d\.\d\d\D*\|$")


@pytest.mark.thorough
def test_the_figures_are_those_that_make_costs_counts(stack: MotoStack) -> None:
    """All but the dollars, which depend on the length of log lines, and so on how many digits a duration has."""
    with bench(stack) as counted:
        now = without_dollars(costs.figures(counted))
    assert len(now) > 60
    assert without_dollars(read(costs.PAGE, "make costs")) == now


def without_dollars(text: str) -> list[str]:
    return [line for line in text.strip().splitlines() if not IS_DOLLARS.search(line)]
