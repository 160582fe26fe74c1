"""docs/costs.md has what `make costs` counts, and with settings it counts the wait that is asked for."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import bill, costs, prices
from benchmarks.calculator import Asked, Month, count, price
from benchmarks.figures import read
from tests.support.in_process.counting.options import answered_page
from tests.support.in_process.counting.waits import Bench, Wait, bench
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import Template

DOLLARS = re.compile(r"[+-]?[\d,]+\.\d\d(?!\d)")


@pytest.fixture(scope="module")
def counted(stack: MotoStack) -> Iterator[Bench]:
    with bench(stack) as counted:
        yield counted


@pytest.fixture(scope="module")
def months(counted: Bench) -> dict[str, Month]:
    """Of the README's machine with a webhook and with a page."""
    waits = {
        "of an execution, for a webhook": counted.wait(**costs.README),
        "of an execution, for an approval with a page": answered_page(counted, **costs.README),
    }
    return {name: costs.month_of(counted, wait) for name, wait in waits.items()}


@pytest.mark.slow
def test_the_figures_are_those_that_make_costs_counts(counted: Bench) -> None:
    """All but the dollars, which depend on the length of log lines, and so on how many digits a duration has."""
    now = {command: without_dollars(markdown) for command, markdown in costs.figures(counted).items()}
    assert sum(markdown.count("\n") for markdown in now.values()) > 60
    assert {command: without_dollars(read(costs.COSTS, command)) for command in now} == now


def without_dollars(text: str) -> str:
    return DOLLARS.sub("…", text.strip())


def test_the_calculator_counts_the_wait_that_is_asked_for(counted: Bench) -> None:
    month = Asked(timeout="10m", timed_out=True, key=True, waiters=2, durable=True, payload=12, events=True)
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


def test_the_calculator_counts_people_as_the_page_does(counted: Bench) -> None:
    """docs/costs.md: $313 for the mails of a page that two people approve. Each reminder writes to both."""
    alone = count(counted, Asked(page=True, approvers=2))
    told = count(counted, Asked(page=True, approvers=2, mail=True, reminders=3))
    assert [step.name for step in alone.wait.steps if step.name in ("answer 1", "settle and resume", "open the page")] == [
        "answer 1",
        "settle and resume",
        "open the page",
        "open the page",
    ]
    assert alone.people == {}
    assert told.people["Mail"] == pytest.approx(313.12, abs=1)
    assert told.people["Reminders, 3 a wait"] == pytest.approx(3 * 2 * prices.MAIL, rel=0.1)
    assert {"NoticesSent", "TokensCreated"} <= told.metrics


def test_a_reminder_without_a_mail_costs_a_timer(counted: Bench) -> None:
    reminded = count(counted, Asked(page=True, reminders=1)).people
    assert reminded == {"Mail": 0, "Reminders, 1 a wait": pytest.approx(4, abs=1)}


def test_the_free_tier_takes_off_what_a_stack_uses_of_it_and_no_more(counted: Bench) -> None:
    """Of a stack that nobody uses: its runs, polls, metrics and ten of the metrics that alarms watch, but no secret."""
    unused = costs.month_of(counted, Wait())
    left = sum(unused.stack.values()) - unused.free
    assert 0 < left - 2 * prices.SECRET_MONTH - 13 * prices.ALARM_METRIC < 0.20
    large = costs.month_of(counted, counted.wait(**costs.README), waits=10**9)
    assert large.free == pytest.approx(
        0.20 + 0.4 * prices.GB_SECOND + 25 * 0.25 + 5 * 0.50 + 100 * 0.09 + 0.2628 + 7.083 * 0.30 + 10 * 0.10, abs=0.01
    )


class TestAMillionWaits:
    """What a wait may cost at most, in dollars for a million."""

    def test_of_the_readmes_machine_with_everything_in_it(self, months: dict[str, Month]) -> None:
        waits = months["of an execution, for a webhook"].waits
        assert {name for name, dollars in waits.items() if not dollars} == {
            *("S3", "SQS", "Secrets Manager", "SES", "EventBridge")
        }
        assert 0 < sum(waits.values()) <= 12.20

    def test_of_one_state_that_creates_and_waits(self, counted: Bench) -> None:
        wait = counted.wait(**costs.README, one_state=True)
        assert [step.name for step in wait.steps if step.over_http] == ["settle and resume"]
        assert 0 < sum(costs.month_of(counted, wait, retention=7).waits.values()) <= 8.50
        assert sum(costs.month_of(counted, wait).waits.values()) <= 9.60

    def test_lead_docs_costs(self) -> None:
        head = read(costs.COSTS, "make costs").partition("| ---")[0]
        assert head.splitlines()[-1].startswith(f"|  | {costs.WEBHOOK} | {costs.ONE_STATE} | {costs.APPROVAL} |")

    def test_are_those_that_the_settings_ask_for_by_default(self, counted: Bench, months: dict[str, Month]) -> None:
        asked_for = price(Asked(), count(counted, Asked()), Template.load())
        assert asked_for.waits == pytest.approx(months["of an execution, for a webhook"].waits, abs=0.02)

    @pytest.mark.parametrize(("options", "most"), [({}, 9.90), ({"key": "order-4714"}, 13.60)], ids=["plain", "with a key"])
    def test_without_an_execution_and_at_twenty_milliseconds(
        self, counted: Bench, options: dict[str, Any], most: float
    ) -> None:
        """Of requests, invocations, units, log lines and storage alone."""
        wait = counted.wait(timeout="24h", **options)
        million = bill.dollars(wait)
        own = [step for step in wait.steps if not step.of_a_round]
        logs = sum(step.log_bytes + bill.ACCESS_LOG * step.over_http for step in own)
        parts = ["HTTP API", "DynamoDB writes", "DynamoDB reads", "S3", "SQS", "Storage, a month"]
        invocation = prices.INVOCATION + 0.020 * bill.MEMORY * prices.GB_SECOND
        dollars = sum(million[part] for part in parts) + len(own) * invocation + logs / 1000 * prices.LOG_GB
        assert 0 < dollars <= most
