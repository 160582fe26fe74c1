"""`make costs`: compute the cost of a wait on AWS from counted calls and list prices, and update docs/costs.md.

What the same wait takes of AWS's limits goes into docs/scaling.md.

Runs each function of a wait once, on moto and with a fake clock, and counts its calls to AWS. With settings, it prints the
cost of a month of such waits instead:

    make costs WAITS=1000000 TIMEOUT=24h PAYLOAD=200
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from benchmarks import bill, floods, limits
from benchmarks.calculator import Asked, Month, NotAccepted, asked, count, counted_with, price
from benchmarks.calculator import report as report_month
from benchmarks.figures import DOCS, table, write
from tests.support.in_process.counting.deliveries import Deliveries, count_deliveries
from tests.support.in_process.counting.notices import count_notices
from tests.support.in_process.counting.options import EXECUTION, FILTERED, SHAPED, SIGNED, answered_page, count_options
from tests.support.in_process.counting.sign_in import count_sign_in
from tests.support.in_process.counting.waits import Added, Bench, CountedStep, Wait, bench, log_to
from tests.support.in_process.moto_stack import moto_stack
from tests.support.in_process.template import CHANNELS, Template

COSTS, SCALING, SECURITY = DOCS / "costs.md", DOCS / "scaling.md", DOCS / "security.md"
RATES = (1, 100, 1000)  # deliveries a second

README: dict[str, Any] = {"timeout": "24h", "execution": EXECUTION}
WEBHOOK, ONE_STATE, APPROVAL = "a webhook", "the same, in one state", "an approval, with a page"
SHORTER = 7  # days, beside the default RetentionDays
TASK_TOKENS = (500, 700, 1000)  # characters, beside the usual ones
CASES: dict[str, dict[str, Any]] = {
    WEBHOOK: README,
    ONE_STATE: README | {"one_state": True},
    "a webhook with rules": README | {"rules": SIGNED | FILTERED, "others": False},
}


def figures(counted: Bench) -> dict[str, str]:
    """Run one wait of each case and with each option, and what completes by key or puts an event.

    Returns Markdown for each part of the page.
    """
    waits = wait_of_each_case(counted)
    others = {length: wait_of_each_case(counted, task_token=length) for length in TASK_TOKENS}
    months = {name: month_of(counted, wait) for name, wait in waits.items()}
    shorter = [sum(month_of(counted, wait, retention=SHORTER).waits.values()) for wait in waits.values()]
    deliveries = count_deliveries(counted)
    by_key = {f"by key: {step.name}": step for step in deliveries.by_key.steps}
    shown = [
        "Dollars for a million waits, and what they use:",
        report_waits(months, waits, shorter, others),
        "Each step's calls to AWS:",
        report_steps(steps(counted, waits[WEBHOOK]) | by_key),
        "Dollars a month for deliveries to one endpoint, with rules, without storage:",
        report_deliveries(deliveries),
    ]
    unawaited = {"the same, no run waited": counted.publish(200, waits=False)}
    people = count_notices(counted) | count_sign_in(counted)
    return {
        "make costs": "\n\n".join(shown),
        "make costs: fixed": report_fixed(months[WEBHOOK], month_of(counted, Wait()), look_for_pending(counted, deliveries)),
        "make costs: options": report_options(count_options(counted, deliveries) | unawaited | people),
    }


def wait_of_each_case(counted: Bench, **options: Any) -> dict[str, Wait]:
    waits = {name: counted.wait(**case, **options) for name, case in CASES.items()}
    approval = {APPROVAL: answered_page(counted, **README, **options)}
    return {name: waits[name] for name in (WEBHOOK, ONE_STATE)} | approval | waits


def month_of(counted: Bench, wait: Wait, **settings: Any) -> Month:
    """Return what a month of a million such waits costs, at the default settings but for these."""
    return price(Asked(**settings), counted_with(counted, wait), Template.load())


def report_fixed(used: Month, unused: Month, look: float) -> str:
    """Return, as Markdown, what a stack costs a month: in use, unused, and if an endpoint records deliveries."""
    rows = [[name, f"{dollars:.2f}"] for name, dollars in used.stack.items() if dollars]
    [fewer] = unused.stack.keys() - used.stack.keys()
    rows += [["**in use**", f"**{sum(used.stack.values()):.2f}**"]]
    rows += [[f"**unused**: {fewer}", f"**{sum(unused.stack.values()):.2f}**"]]
    rows += [["with `recordDeliveries`", f"+{look:.2f}"]]
    for name, it in {"unused": unused, "a million webhooks": used}.items():
        alone = sum(it.stack.values()) + sum(it.waits.values()) - it.free
        rows += [[f"{name}, with the free tier", f"{alone:.2f}"]]
    return table(["what", "dollars a month"], rows)


def look_for_pending(counted: Bench, deliveries: Deliveries) -> float:
    """Return the dollars a month for which the doctor looks for pending deliveries."""
    assert deliveries.doctor is not None
    times = bill.MONTH / 900
    return bill.runs(deliveries.doctor, times) - bill.runs(counted.round("doctor"), times)


def report_options(added: Mapping[str, Added]) -> str:
    head = ["option", "calls", "write units", "read units", "dollars for a million"]
    return table(head, [[name, *_added(option)] for name, option in added.items()])


def _added(option: Added) -> list[str]:
    counts = (option.calls, option.write_units, option.read_units)
    return [*(f"{count:+g}" if count else "0" for count in counts), f"{bill.added(option):+.2f}"]


def report_waits(
    months: Mapping[str, Month], waits: Mapping[str, Wait], shorter: Sequence[float], others: Mapping[int, Mapping[str, Wait]]
) -> str:
    """Return, as Markdown, what waits cost by service, and what each uses.

    `shorter` is what all costs if tokens are kept for a shorter time, `others` are waits with task tokens of other lengths.
    """
    dollars = [month.waits for month in months.values()]
    services = [service for service in dollars[0] if any(one[service] for one in dollars)]
    rows = [[service, *(f"{one[service]:.2f}" for one in dollars)] for service in services]
    rows.append(["**all together**", *(f"**{sum(one.values()):.2f}**" for one in dollars)])
    rows.append([f"kept for {SHORTER} days", *(f"{it:.2f}" for it in shorter)])
    used = {
        "write units": [str(wait.write_units) for wait in waits.values()],
        f"task tokens of {', '.join(f'{length:,}' for length in others)}": [
            ", ".join(str(other[name].write_units) for other in others.values()) for name in waits
        ],
        "bytes in the table": [f"{wait.stored_bytes:,}" for wait in waits.values()],
        "bytes in the indexes": [f"{wait.index_bytes:,}" for wait in waits.values()],
    }
    return table(["", *waits], rows + [[name, *cells] for name, cells in used.items()])


def report_steps(shown: Mapping[str, CountedStep]) -> str:
    """Return, as Markdown, what each step asks of AWS."""
    return table(["step", "calls", "write units", "read units"], [[name, *_asks(step)] for name, step in shown.items()])


def _asks(step: CountedStep) -> list[str]:
    return [", ".join(step.operations()), f"{step.write_units}", f"{step.read_units:g}"]


def steps(counted: Bench, completed: Wait) -> dict[str, CountedStep]:
    """Return the steps of a wait that is completed and of one that times out, and those that rules change."""
    late, filtered, shaped = (
        counted.wait(timeout="24h", ends=False),
        counted.wait(timeout="24h", rules=SIGNED | FILTERED),
        counted.wait(timeout="24h", rules=SHAPED),
    )
    return {step.name: step for wait in (completed, late) for step in wait.steps} | {
        "retrieve": counted.retrieve(),
        "create, with `payloadSchema`": shaped["create"],
        "a delivery that `completeWhen` passes over": filtered["a delivery that does not fit"],
        "a delivery that `payloadSchema` refuses": shaped["a delivery that does not fit"],
        "a delivery to a settled token": filtered["a late delivery"],
        "the same within five minutes": filtered["a late delivery again"],
    }


def report_deliveries(counted: Deliveries) -> str:
    """Return, as Markdown, what deliveries to an endpoint cost in a month."""
    rows = {
        "that match nothing": [_monthly(counted, "matches nothing", rate) for rate in RATES],
        "that complete a token each": [_monthly(counted, "completes a token, a run waits", rate) for rate in RATES],
        "plus creates with a key, waits and guarantees": [bill.monthly_around(counted, rate) for rate in RATES],
    }
    head = ["deliveries", *(f"{rate:,} a second" for rate in RATES)]
    return table(head, [[name, *(f"{dollars:,.2f}" for dollars in row)] for name, row in rows.items()])


def _monthly(counted: Deliveries, name: str, rate: int) -> float:
    return sum(bill.monthly(counted, name, rate).values())


def write_page() -> None:
    with moto_stack() as stack, bench(stack) as counted, log_to(StringIO()):
        written = figures(counted)
        write(SCALING, "make costs", limits.markdown(counted.wait(**README), stack.template))
        write(SECURITY, "make costs: floods", floods.markdown(floods.count_floods(counted), stack.template))
    for command, markdown in written.items():
        write(COSTS, command, markdown)
        print(f"{markdown}\n")


def calculate(month: Asked) -> None:
    with moto_stack() as stack, bench(stack) as counted:
        with log_to(StringIO()), redirect_stdout(StringIO()):  # the functions' lines, and their metrics
            one = count(counted, month)
        template = Template.load({"MailFrom": CHANNELS["MailFrom"]}) if month.mail else stack.template
        print(report_month(month, price(month, one, template)))


def main(settings: Sequence[str]) -> int:
    if not settings:
        write_page()
        return 0
    try:
        month = asked(settings)
    except NotAccepted as refusal:
        print(refusal, file=sys.stderr)
        return 2
    calculate(month)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
