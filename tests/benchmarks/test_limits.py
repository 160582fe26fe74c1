"""docs/scaling.md has what a counted wait takes of AWS's limits."""

import re
from collections.abc import Iterator

import pytest

from benchmarks import costs, limits
from benchmarks.bill import MILLISECONDS
from benchmarks.costs import SCALING
from benchmarks.figures import DOCS, read
from benchmarks.limits import Limit
from tests.support.in_process.counting.waits import Wait, bench
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import Template

PAGE = " ".join(SCALING.read_text().split())


@pytest.fixture(scope="module")
def wait(stack: MotoStack) -> Iterator[Wait]:
    with bench(stack) as counted:
        yield counted.wait(**costs.README)


@pytest.fixture(scope="module")
def found(wait: Wait) -> dict[str, Limit]:
    return {limit.name: limit for limit in limits.limits(wait, Template.load())}


def test_the_page_has_them(wait: Wait) -> None:
    assert read(SCALING, "make costs") == limits.markdown(wait, Template.load())


def test_are_sorted_by_which_comes_first(found: dict[str, Limit]) -> None:
    waits = [limit.waits for limit in found.values()]
    assert waits == sorted(waits)
    assert next(iter(found)) == limits.OPEN.name


def test_are_what_a_wait_uses(found: dict[str, Limit]) -> None:
    """A token is created, waits, settles and has a reply: four units of it, and two of the list."""
    uses = {name: limit.needs for name, limit in found.items()}
    assert (uses[limits.NEW_TABLE.name], uses[limits.LIST.name], uses[limits.RESUMES.name]) == (4, 2, 1)
    assert found[limits.LIST.name].waits == 1_000  # as long as two shards share a partition
    assert uses[limits.REQUESTS.name] == 2  # the create and the callback
    assert uses[limits.LAMBDAS.name] == pytest.approx(4 * MILLISECONDS / 1_000)  # and the state's, and the stream's


def test_those_of_the_routes_are_the_templates(wait: Wait) -> None:
    template = Template.load({"CallbacksPerSecond": "17"})
    assert {limit.name: limit.waits for limit in limits.limits(wait, template)}["callbacks"] == 17


def test_as_many_timers_start_as_the_contract_promises() -> None:
    promised = re.search(r"\*\*T8\*\* .*?([\d,]+) within a minute", (DOCS / "internals" / "contract.md").read_text())
    assert promised
    assert int(promised[1].replace(",", "")) / 60 == limits.TIMERS_STARTED


def test_a_new_account_runs_ten_functions_at_once(found: dict[str, Limit]) -> None:
    assert f"only 10 invocations at once, enough for {10 / found[limits.LAMBDAS.name].needs:.0f} waits a second" in PAGE
    assert f"10 waits a second** use {10 * limits.LENGTH / limits.OPEN.has:.0%}".replace("%", " %") in PAGE


def test_the_page_takes_an_invocation_to_be_as_long_as_the_prices_do() -> None:
    """A delivery takes no longer than a callback, of which docs/costs.md tells how its time comes about."""
    assert f"An invocation takes {MILLISECONDS} ms, as [priced](costs.md)" in PAGE
    assert f"| Lambda concurrency | {MILLISECONDS} ms | 1,000 at once; 1,000 deliveries a second use {MILLISECONDS} |" in PAGE
    assert f"A warm invocation takes {MILLISECONDS} ms" in (DOCS / "costs.md").read_text()


def test_resumes_of_a_burst_take_what_is_left_of_the_bucket_at_the_quotas_rate() -> None:
    number, [(large, bucket), (small, little)] = 100_000, [(limits.RESUMES.has, 3_000), (limits.RESUMES.elsewhere or 0, 1_500)]
    first, last = f"{(number - bucket) / large:.0f} s", f"{(number - little) / small:.0f} s"
    assert f"100,000 resumes take {first}, outside the largest regions {last}." in PAGE
