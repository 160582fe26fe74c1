"""docs/costs.md has what `make costs` counts, and with settings it counts the wait that is asked for."""

import re

import pytest

from benchmarks import costs
from benchmarks.calculator import Asked, count, price
from benchmarks.figures import read
from in_process.counting.waits import bench
from in_process.moto_stack import MotoStack
from in_process.template import ROOT, Template

DOLLARS = re.compile(r"[+-]?[\d,]+\.\d\d(?!\d)")


@pytest.mark.slow
def test_the_figures_are_those_that_make_costs_counts(stack: MotoStack) -> None:
    """All but the dollars, which depend on the length of log lines, and so on how many digits a duration has."""
    with bench(stack) as counted:
        now = {command: without_dollars(markdown) for command, markdown in costs.figures(counted).items()}
    assert sum(markdown.count("\n") for markdown in now.values()) > 60
    assert {command: without_dollars(read(costs.PAGE, command)) for command in now} == now


def without_dollars(text: str) -> str:
    return DOLLARS.sub("…", text.strip())


def test_the_calculator_counts_the_wait_that_is_asked_for(stack: MotoStack) -> None:
    month = Asked(timeout="10m", timed_out=True, key=True, waiters=2, durable=True, payload=12, events=True)
    with bench(stack) as counted:
        one = count(counted, month)
        plain = count(counted, Asked())
    assert [step.name for step in one.wait.steps] == ["create", "wait", "wait", "start the timer", "timer, due", "guarantee"]
    assert one.wait["create"].operations() == ["DynamoDB:TransactWriteItems"]
    assert one.wait["start the timer"].operations() == ["SQS:SendMessageBatch"]
    assert one.wait["timer, due"].operations().count("Lambda:SendDurableExecutionCallbackFailure") == 0
    assert one.wait["timer, due"].operations().count("Lambda:SendDurableExecutionCallbackSuccess") == 2
    assert one.events > 1.00
    assert "settle and resume" in [step.name for step in plain.wait.steps]
    assert plain.events == 0


def test_the_readme_has_the_price_of_a_stack_that_hardly_anybody_uses(stack: MotoStack) -> None:
    once = Asked(waits=1)
    with bench(stack) as counted:
        month = price(once, count(counted, once), Template.load())
    assert f"costs ${sum(month.stack.values()):.2f} a month" in " ".join((ROOT / "README.md").read_text().split())
