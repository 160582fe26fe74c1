"""docs/security.md says what anybody can spend, summed over all routes that need no key."""

import re
from collections.abc import Iterator

import pytest

from benchmarks import bill, prices
from benchmarks.costs import SECURITY
from benchmarks.figures import DOCS, read
from benchmarks.floods import DAY, TOGETHER, Flood, count_floods, markdown
from tests.support.in_process.counting.waits import bench
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import EVERYTHING, Template


@pytest.fixture(scope="module")
def floods(stack: MotoStack) -> Iterator[dict[str, Flood]]:
    with bench(stack) as counted:
        yield {flood.name: flood for flood in count_floods(counted)}


def dollars(flood: str) -> float:
    [cell] = re.findall(rf"\| {re.escape(flood)} \|.*\| \*{{0,2}}([\d,]+)\*{{0,2}} \|", read(SECURITY, "make costs: floods"))
    return float(cell.replace(",", ""))


def test_the_page_has_the_price_of_each(floods: dict[str, Flood]) -> None:
    """Within a dollar or a hundredth: it depends on the length of log lines."""
    template = Template.load()
    shown = {name: dollars(name) for name in floods}
    assert shown == {name: pytest.approx(it.dollars(template), rel=0.01, abs=1) for name, it in floods.items()}
    assert read(SECURITY, "make costs: floods").count("\n") == markdown([*floods.values()], template).count("\n")


def test_the_sum_is_of_every_route_that_needs_no_key(floods: dict[str, Flood]) -> None:
    functions = {"accept_callback", "show_callback", "accept_delivery", "show_console", "answer_slack"}
    functions |= {"begin_sign_in", "finish_sign_in", "sign_out", "begin_session"}
    alone = [flood for flood in floods.values() if flood.is_open]
    routes = Template.load(EVERYTHING).routes().items()
    assert {flood.route for flood in alone} == {key for key, function in routes if function.name in functions}
    worst = sum(flood.dollars(Template.load()) for flood in alone)
    assert dollars(TOGETHER) == pytest.approx(worst, abs=1)
    assert worst - sum(it.dollars(Template.load()) for it in alone if "/sign-" in it.route) <= 100, "without an issuer"


def test_without_a_credential_nothing_is_read_or_written(floods: dict[str, Flood]) -> None:
    """A request, an invocation, log lines and an answer: one write unit alone would cost $0.63 a million more."""
    least = prices.HTTP_REQUEST + bill.INVOCATION
    for name in ("forged callbacks: `CallbacksPerSecond`", "forged deliveries: `DeliveriesPerSecond`"):
        assert least < floods[name].million < least + 0.60, name


def test_a_leaked_url_of_an_ended_token_costs_one_write_unit_more_than_a_forged_one(floods: dict[str, Flood]) -> None:
    more = floods["posts to one settled token"].million - floods["forged callbacks: `CallbacksPerSecond`"].million
    assert more == pytest.approx(prices.WRITE_UNIT, abs=0.1)


def test_a_wrong_key_at_the_quota_of_an_account_costs_what_the_page_says(floods: dict[str, Flood]) -> None:
    wrong = floods["creates with a wrong API key"]
    assert 10_000 * DAY / 1e6 * wrong.million == pytest.approx(1_600, rel=0.05)
    page = " ".join(SECURITY.read_text().split())
    assert "At 10,000, requests with a wrong key cost about $1,600 a day" in page


def test_docs_costs_has_the_price_of_forged_callbacks(floods: dict[str, Flood]) -> None:
    [said] = re.findall(r"\| Forged requests without a key \| .* at most \$(\d+) a day", (DOCS / "costs.md").read_text())
    assert float(said) == pytest.approx(dollars(TOGETHER), rel=0.02)
